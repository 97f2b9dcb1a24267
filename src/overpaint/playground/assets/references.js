// The strip of reference pictures: dropped, pasted, chosen, by URL or from a result; ordered, masked, removed.

import { acts, button, h, say, show } from "./dom.js";
import { openMask } from "./mask.js";
import { upload } from "./upload.js";

export function mount({ element, props, watch, trigger }) {
  const root = element.querySelector(".op-references");
  const words = props.words;
  const state = { problem: "", busy: 0, dragged: null };
  const pictures = () => props.value?.pictures ?? [];

  function set(changes) {
    props.value = { pictures: pictures(), mask: props.value?.mask ?? null, ...changes };
    trigger("change", {});
    render();
  }

  function tile(picture, at) {
    const name = say(words.picture_of, { number: at + 1, name: picture.name });
    const isMasked = at === 0 && props.value.mask;
    return h(
      "li",
      { draggable: "true", "data-at": at, "data-key": picture.key || picture.url },
      picture.url.startsWith("/")
        ? h("img", { src: picture.url, alt: name, class: "op-checker" })
        : h("span", { class: "op-link", title: picture.url }, "URL"),
      isMasked ? h("img", { src: props.value.mask.url, alt: words.mask, class: "op-mask-over" }) : null,
      h("span", { class: "op-number", "aria-hidden": "true" }, String(at + 1)),
      h(
        "div",
        { class: "op-tile-acts" },
        button("move", "←", { at, by: -1 }, { "aria-label": say(words.move_left, { number: at + 1 }), disabled: at === 0 }),
        button("move", "→", { at, by: 1 }, { "aria-label": say(words.move_right, { number: at + 1 }), disabled: at === pictures().length - 1 }),
        button("remove", "×", { at }, { "aria-label": say(words.remove, { number: at + 1 }) })
      )
    );
  }

  function render() {
    const list = pictures();
    const isFull = list.length >= props.most;
    const canMask = list.length > 0 && list[0].url.startsWith("/");
    show(
      root,
      h("div", { class: "op-line" },
        h("h3", { id: "references-label" }, words.references),
        h("span", { class: "op-hint" }, say(words.references_count, { count: list.length, most: props.most }))),
      props.most === 0 ? h("p", { class: "op-hint" }, words.references_none) : null,
      h("ol", { class: "op-tiles", "aria-labelledby": "references-label" }, list.map(tile)),
      isFull ? null : h("label", { class: "op-drop" },
        h("input", { type: "file", accept: "image/*", multiple: true, class: "op-hidden-input", "data-own": "value" }),
        h("span", {}, state.busy ? words.working : words.drop)),
      isFull ? null : h("div", { class: "op-line op-by-url" },
        h("label", { class: "op-hidden", for: "by-url" }, words.by_url),
        h("input", { id: "by-url", type: "url", placeholder: words.by_url, "data-own": "value" }),
        button("add", words.add)),
      h("div", { class: "op-line" },
        canMask ? button("mask", props.value.mask ? words.mask_edit : words.mask_paint, {}, { id: "paint-mask" }) : null,
        props.value?.mask ? button("unmask", words.mask_remove) : null),
      state.problem ? h("p", { role: "alert", class: "op-problem" }, state.problem) : null
    );
  }

  async function take(files) {
    state.problem = "";
    for (const file of files) {
      if (pictures().length >= props.most) {
        state.problem = say(words.references_full, { most: props.most });
        break;
      }
      state.busy += 1;
      render();
      try {
        const taken = await upload(file);
        set({ pictures: [...pictures(), taken] });
      } catch (problem) {
        state.problem = problem.message;
      }
      state.busy -= 1;
    }
    render();
  }

  function move(from, to) {
    const list = [...pictures()];
    if (to < 0 || to >= list.length) return;
    list.splice(to, 0, ...list.splice(from, 1));
    set({ pictures: list, mask: from === 0 || to === 0 ? null : props.value.mask });
  }

  acts(root, {
    move: ({ at, by }) => move(Number(at), Number(at) + Number(by)),
    remove: ({ at }) => {
      const list = pictures().filter((_, index) => index !== Number(at));
      set({ pictures: list, mask: Number(at) === 0 ? null : props.value.mask });
    },
    add: () => {
      const field = root.querySelector("#by-url");
      if (!field.value.trim()) return;
      const url = field.value.trim();
      field.value = "";
      set({ pictures: [...pictures(), { key: "", url, name: url, width: 0, height: 0 }] });
    },
    unmask: () => set({ mask: null }),
    mask: async () => {
      const mask = await openMask(words, pictures()[0], props.value.mask);
      if (mask) set({ mask });
    },
  });

  root.addEventListener("change", (event) => {
    if (event.target.type !== "file") return;
    const files = [...event.target.files];
    event.target.value = "";
    take(files);
  });
  root.addEventListener("dragstart", (event) => {
    state.dragged = Number(event.target.closest("li")?.dataset.at ?? -1);
  });
  root.addEventListener("dragend", () => {
    state.dragged = null;
  });
  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("op-over");
  });
  root.addEventListener("dragleave", () => root.classList.remove("op-over"));
  root.addEventListener("drop", (event) => {
    event.preventDefault();
    root.classList.remove("op-over");
    const target = event.target.closest("li");
    if (event.dataTransfer.files.length) take([...event.dataTransfer.files]);
    else if (state.dragged !== null && target) move(state.dragged, Number(target.dataset.at));
  });
  // Anywhere else a browser would leave the page and open the file itself.
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (event.defaultPrevented || !files.length) return;
    event.preventDefault();
    take(files);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
  watch(["value", "most"], render);
  render();
}

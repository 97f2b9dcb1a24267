// The strip of reference pictures: dropped, pasted, chosen, by URL or from a result; ordered, masked, removed.

import { at, fileOf, own, small } from "./address.js";
import { arrivals } from "./arriving.js";
import { acts, button, h, say, show } from "./dom.js";
import { keepPictures, keptPictures } from "./keep.js";
import { openMask } from "./mask.js";
import { upload } from "./upload.js";
import { hold, letGo, release } from "./waiting.js";

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
        ? h("img", { src: small(picture.url), alt: name, class: "op-checker" })
        : h("span", { class: "op-link", title: picture.url }, "URL"),
      isMasked ? h("img", { src: small(props.value.mask.url), alt: words.mask, class: "op-mask-over" }) : null,
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
    keepPictures(props.value);
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
        h("span", { "aria-live": "polite" }, state.busy ? words.uploading : words.drop)),
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
    state.busy += 1;
    hold("pictures", words.run_waits, "#run");
    render();
    for (const file of files) {
      try {
        if (hasRoom()) add(await upload(words, file));
      } catch (problem) {
        state.problem = problem.message;
      }
    }
    state.busy -= 1;
    render();
    if (state.problem) letGo();
    if (!state.busy) release("pictures");
  }

  function hasRoom() {
    const isFull = pictures().length >= props.most;
    if (isFull) state.problem = say(words.references_full, { most: props.most });
    return !isFull;
  }

  function add(picture) {
    set({ pictures: [...pictures(), picture] });
  }

  /** A picture by its address; one of this server is named by its file, and shown. */
  async function takeUrl(url) {
    if (url.startsWith("data:")) {
      const blob = await fetch(url).then((answer) => answer.blob(), () => new Blob([]));
      await take([new File([blob], words.picture, { type: blob.type })]);
      return;
    }
    state.problem = /^https?:\/\/./i.test(url) ? "" : words.url_wrong;
    if (!state.problem && hasRoom()) add(own(url) ? await stored(own(url)) : { key: "", url, name: url, width: 0, height: 0 });
    render();
  }

  async function stored(path) {
    const image = new Image();
    image.src = at(path);
    await image.decode().catch(() => null); // what cannot be had is told when it is to be painted
    const key = fileOf(path);
    const isNamed = key.startsWith("outputs/") || key.startsWith("uploads/");
    return { key: isNamed ? key : "", url: path, name: words.picture, width: image.naturalWidth, height: image.naturalHeight };
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
      const url = field.value.trim();
      if (!url) return;
      takeUrl(url);
      if (!state.problem) field.value = "";
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
    const tile = event.target.closest?.("li");
    state.dragged = tile ? Number(tile.dataset.at) : null;
    if (tile && !event.dataTransfer.types.length) event.dataTransfer.setData("text/plain", tile.dataset.key); // Firefox drags no nothing
  });
  root.addEventListener("dragend", () => {
    state.dragged = null;
    root.classList.remove("op-over");
  });
  root.addEventListener("dragover", (event) => {
    event.preventDefault();
    root.classList.add("op-over");
  });
  root.addEventListener("dragleave", () => root.classList.remove("op-over"));
  root.addEventListener("drop", (event) => {
    root.classList.remove("op-over");
    if (state.dragged === null) return; // what comes from elsewhere is everybody's
    event.preventDefault();
    const target = event.target.closest("li");
    if (target) move(state.dragged, Number(target.dataset.at));
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.id === "by-url") root.querySelector("[data-act=add]").click();
  });
  arrivals({ take, takeUrl, isMoving: () => state.dragged !== null });
  watch(["value", "most"], render);
  const kept = keptPictures();
  if (kept && !pictures().length) set(kept);
  else render();
}

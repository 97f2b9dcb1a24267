// The history: the session's tree of results, each with its picture, and the sessions themselves.

import { at, small } from "./address.js";
import { acts, button, h, missing, say, show } from "./dom.js";
import { follow } from "./frames.js";

export function mount({ element, props, trigger }) {
  const root = element.querySelector(".op-history");
  const words = props.words;
  let now = null;
  const state = { isRenaming: false, inSight: null };
  const isMissing = missing(root, () => render());

  function node(one, kids) {
    const shown = one.id === now.focus;
    const below = kids.get(one.id) ?? [];
    return h(
      "li",
      { role: "treeitem", "aria-expanded": below.length ? "true" : null, "aria-selected": String(shown), "data-key": one.id,
        "aria-label": `${one.prompt} (${standing(one)})`, tabindex: shown ? 0 : -1, "data-act": "choose", "data-id": one.id },
      h("div", { class: "op-node", "data-state": one.state, "data-many": one.thumbs.length > 1 ? one.thumbs.length : null, title: one.prompt }, thumb(one)),
      below.length ? h("ul", { role: "group" }, below.map((kid) => node(kid, kids))) : null
    );
  }

  function isGone(one) {
    return one.thumbs.length > 0 && isMissing(small(one.thumbs[0]));
  }

  function standing(one) {
    return isGone(one) ? words.gone : words[`state_${one.state}`];
  }

  function thumb(one) {
    if (isGone(one)) return h("span", { class: "op-blank op-gone", "data-said": words.gone, "aria-hidden": "true" });
    if (!one.thumbs.length) return h("span", { class: "op-blank", "aria-hidden": "true" });
    return h("img", { src: small(one.thumbs[0]), alt: "", class: "op-checker", loading: "lazy" });
  }

  function tree() {
    const known = new Set(now.nodes.map((one) => one.id));
    const kids = new Map();
    const roots = [];
    for (const one of now.nodes) {
      if (one.parent && known.has(one.parent)) kids.set(one.parent, [...(kids.get(one.parent) ?? []), one]);
      else roots.push(one);
    }
    if (!roots.length) return h("p", { class: "op-hint" }, words.history_empty);
    return h("ul", { class: "op-tree", role: "tree", "aria-label": words.history }, roots.map((one) => node(one, kids)));
  }

  function head() {
    const { session, sessions } = now;
    const name = sessions.find((one) => one.id === session)?.name ?? "";
    const label = h("label", { class: "op-hidden", for: "session" }, words.session);
    const picker = state.isRenaming
      ? h("input", { id: "session", type: "text", value: name, maxlength: 80, "data-name": "", "data-own": "value" })
      : h("select", { id: "session", "data-pick": "" },
          sessions.map((one) => h("option", { value: one.id, selected: one.id === session }, one.name)));
    const parent = now.nodes.find((one) => one.id === now.focus)?.parent;
    return h(
      "header",
      { class: "op-line" },
      h("h2", {}, words.history),
      label,
      picker,
      state.isRenaming
        ? button("name", words.save)
        : [button("rename", words.rename), button("create", words.session_add), button("forget", words.session_forget)],
      h("a", { class: "op-button", href: at(`/page/sessions/${session}.zip`), download: "" }, words.export),
      button("choose", words.back, { id: parent ?? "" }, { disabled: !parent })
    );
  }

  function render() {
    if (!now?.session) return;
    show(root, head(), tree(), h("p", { class: "op-hint" }, say(words.history_kept, { days: props.kept_days })));
    const picker = root.querySelector("[data-pick]");
    if (picker) picker.value = now.session;
    if (state.inSight !== now.focus) bringIntoSight();
  }

  /** Scroll the tree, and nothing else, to what is on the canvas. */
  function bringIntoSight() {
    const item = root.querySelector("[aria-selected=true] > .op-node");
    if (!item) return;
    const tree = root.querySelector(".op-tree");
    const [seen, wanted] = [tree.getBoundingClientRect(), item.getBoundingClientRect()];
    if (wanted.left < seen.left || wanted.right > seen.right) tree.scrollLeft += wanted.left - seen.left - (seen.width - wanted.width) / 2;
    state.inSight = now.focus;
  }

  function save() {
    const name = root.querySelector("[data-name]").value;
    state.isRenaming = false;
    trigger("rename", { name });
    render();
  }

  acts(root, {
    choose: ({ id }) => trigger("choose", { id, index: 0 }),
    create: () => trigger("create", {}),
    forget: () => window.confirm(words.session_forget_sure) && trigger("forget", { id: now.session }),
    name: save,
    rename: () => {
      state.isRenaming = true;
      render();
      root.querySelector("[data-name]").select();
    },
  });
  root.addEventListener("change", (event) => {
    if (event.target.dataset.pick !== undefined) trigger("session", { id: event.target.value });
  });
  root.addEventListener("keydown", (event) => {
    if (event.target.dataset.name !== undefined && event.key === "Enter") save();
    const item = event.target.closest?.("[role=treeitem]");
    if (!item) return;
    const all = root.querySelectorAll("[role=treeitem]");
    const next = {
      Home: all[0],
      End: all[all.length - 1],
      Enter: item,
      " ": item,
      ArrowRight: item.querySelector("[role=treeitem]"),
      ArrowLeft: item.parentElement.closest("[role=treeitem]"),
      ArrowDown: item.nextElementSibling,
      ArrowUp: item.previousElementSibling,
    }[event.key];
    if (!next) return;
    event.preventDefault();
    next.focus();
    trigger("choose", { id: next.dataset.id, index: 0 });
  });
  follow("history", (value) => {
    now = value;
    render();
  });
  render();
}

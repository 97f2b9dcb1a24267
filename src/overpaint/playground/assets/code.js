// Code to copy, and what it needs.

import { acts, button, h, say, show } from "./dom.js";

export function mount({ element, props, watch }) {
  const root = element.querySelector(".op-code");
  const words = props.words;

  function render(copied = false) {
    const { code, language, needs } = props.value;
    show(
      root,
      h("div", { class: "op-line" },
        needs ? h("p", { class: "op-hint" }, say(words.needs, { needs })) : null,
        button("copy", copied ? words.copied : words.copy, {}, { id: "copy-code" })),
      h("pre", { tabindex: 0, "aria-label": words.tab_code, "data-language": language }, h("code", {}, code))
    );
  }

  acts(root, {
    copy: async () => {
      if (!(await copied())) return;
      render(true);
      setTimeout(render, 1500);
    },
  });

  /** Without https a page has no clipboard; what is selected can be copied all the same, if only by hand. */
  async function copied() {
    if (navigator.clipboard) return navigator.clipboard.writeText(props.value.code).then(() => true);
    getSelection().selectAllChildren(root.querySelector("code"));
    return document.execCommand("copy");
  }
  watch("value", () => render());
  render();
}

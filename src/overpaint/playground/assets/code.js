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
      await navigator.clipboard.writeText(props.value.code);
      render(true);
      setTimeout(render, 1500);
    },
  });
  watch("value", () => render());
  render();
}

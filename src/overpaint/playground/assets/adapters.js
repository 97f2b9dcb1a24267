// The LoRA adapters that can be chosen, each with its strength; nothing where there are none.

import { h, say, show } from "./dom.js";

export function mount({ element, props, watch, trigger }) {
  const root = element.querySelector(".op-adapters");
  const words = props.words;
  const chosen = () => props.value?.chosen ?? [];
  const use = (source) => chosen().find((one) => one.source === source);

  function set(list) {
    props.value = { chosen: list };
    trigger("change", {});
    render();
  }

  function row(source) {
    const used = use(source);
    const isFull = !used && chosen().length >= props.most;
    return h("li", { class: "op-line", "data-key": source },
      h("label", { title: source }, h("input", { type: "checkbox", "data-source": source, disabled: isFull }), source),
      used ? h("input", {
        type: "number", min: -4, max: 4, step: 0.1, value: used.scale, "data-source": source,
        "aria-label": say(words.strength_of, { name: source }),
      }) : null);
  }

  function render() {
    const others = chosen().map((one) => one.source).filter((source) => !props.offered.includes(source));
    const sources = [...props.offered, ...others];
    show(root, sources.length ? [
      h("h3", { id: "adapters-label" }, words.adapters),
      h("p", { class: "op-hint" }, say(words.adapters_hint, { most: props.most })),
      h("ul", { "aria-labelledby": "adapters-label" }, sources.map(row)),
    ] : []);
    for (const field of root.querySelectorAll("input")) {
      const used = use(field.dataset.source);
      if (field.type === "checkbox") field.checked = Boolean(used);
      else if (field !== document.activeElement) field.value = used.scale;
    }
  }

  root.addEventListener("change", ({ target }) => {
    const { source } = target.dataset;
    const scale = target.valueAsNumber;
    if (target.type === "number") set(chosen().map((one) => (one.source === source && !isNaN(scale) ? { source, scale } : one)));
    else if (target.checked) set([...chosen(), { source, scale: 1 }]);
    else set(chosen().filter((one) => one.source !== source));
  });
  watch(["value", "offered"], render);
  render();
}

// The tray: everything of this key that is under way, whatever session it is in.

import { acts, button, h, say, show } from "./dom.js";
import { follow } from "./frames.js";
import { bar, standing } from "./progress.js";

export function mount({ element, props, trigger }) {
  const root = element.querySelector(".op-tray");
  const words = props.words;
  let now = null;

  function card(run) {
    const isShown = run.id === now.focus;
    return h(
      "li",
      { "data-key": run.id, class: isShown ? "op-shown" : "" },
      h(
        "button",
        { type: "button", class: "op-run", "data-act": "choose", "data-id": run.id, "aria-current": isShown ? "true" : null },
        run.live?.look ? h("img", { src: run.live.look, alt: "" }) : h("span", { class: "op-blank", "aria-hidden": "true" }),
        h("span", { class: "op-said", dir: "auto" }, run.prompt),
        h("span", { class: "op-standing" }, standing(words, run))
      ),
      bar(words, run),
      button("stop", "×", { id: run.id }, { "aria-label": say(words.cancel_run, { prompt: run.prompt }) })
    );
  }

  function render() {
    const runs = now?.runs ?? [];
    root.hidden = runs.length === 0;
    show(
      root,
      h("h2", {}, say(words.tray, { count: runs.length })),
      h("ul", { "aria-label": words.tray_label }, runs.map(card))
    );
  }

  acts(root, {
    choose: ({ id }) => trigger("choose", { id, index: 0 }),
    stop: ({ id }, thing) => {
      thing.disabled = true;
      trigger("stop", { id });
    },
  });
  follow("tray", (value) => {
    now = value;
    render();
  });
  render();
}

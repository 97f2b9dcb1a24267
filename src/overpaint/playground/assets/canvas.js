// The canvas: examples while there is nothing, the picture as it is painted, and the result to look at closely.

import { at } from "./address.js";
import { acts, button, h, missing, show } from "./dom.js";
import { follow } from "./frames.js";
import { bar, standing, times } from "./progress.js";
import { results, ZOOMS } from "./result.js";

export function mount({ element, props, server, trigger }) {
  const root = element.querySelector(".op-canvas");
  const words = props.words;
  let now = null;
  const differences = new Map();
  const look = { mode: "result", zoom: 0, split: 50, run: null };
  const isMissing = missing(root, () => render());
  const result = results({ words, look, isMissing, difference });

  function render() {
    const run = now?.run ?? null;
    if (look.run === run?.id && look.state === "running" && run?.state === "succeeded") trigger("done", {});
    if (look.run !== run?.id) Object.assign(look, { mode: "result", zoom: 0, split: 50, run: run?.id ?? null });
    look.state = run && !["succeeded", "failed", "cancelled"].includes(run.state) ? "running" : "ended";
    root.dataset.state = run ? run.state : "empty";
    if (!run) show(root, examples());
    else show(root, run.images.length ? result(run, run.images[now.index] ?? run.images[0]) : painting(run));
  }

  // --- nothing yet

  function examples() {
    const cards = props.cards.map((card, at) =>
      h(
        "li",
        {},
        h(
          "button",
          { type: "button", class: "op-card", "data-act": "example", "data-index": at },
          h("img", { src: card.picture, alt: "", loading: "lazy" }),
          h("strong", {}, card.title),
          h("span", {}, card.prompt)
        )
      )
    );
    return h(
      "section",
      { class: "op-empty", "aria-label": words.examples },
      h("h2", {}, words.empty_title),
      h("p", {}, words.empty_text),
      h("ul", { class: "op-cards" }, cards)
    );
  }

  // --- under way, or ended without a picture

  function painting(run) {
    const isOpen = run.state === "queued" || run.state === "running";
    const shown = run.live?.look ?? run.source?.url;
    return h(
      "section",
      { class: "op-painting", "aria-label": words.canvas },
      h(
        "div",
        { class: "op-frame" },
        shown
          ? h("img", {
              src: shown,
              class: run.live?.look ? "op-look" : "op-look op-waiting",
              "data-looks": run.live?.looks ?? 0,
              alt: run.live?.look ? words.preview : words.source,
            })
          : h("div", { class: "op-blank", "aria-hidden": "true" })
      ),
      h("p", { class: "op-said", dir: "auto" }, run.prompt),
      isOpen ? bar(words, run) : null,
      h(
        "div",
        { class: "op-line" },
        h("p", { class: "op-standing", role: "status" }, isOpen ? standing(words, run) : ended(run)),
        isOpen ? h("p", { class: "op-times" }, times(words, run)) : null,
        isOpen
          ? button("stop", words.cancel, { id: run.id }, { class: "op-button op-stop" })
          : button("again", words.again, { id: run.id })
      )
    );
  }

  function ended(run) {
    return run.failure ? `${words.state_failed}: ${run.failure}` : words[`state_${run.state}`];
  }

  // --- what changed

  /** What a result changed, as the server counts it: asked once, whatever comes of it; nothing as long as it counts. */
  function difference(run, index) {
    const key = `${run.id}/${index}`;
    if (!differences.has(key)) {
      differences.set(key, null);
      const settle = (found) => {
        differences.set(key, found ?? { told: words.difference_failed });
        render();
      };
      server.difference({ id: run.id, index }).then(settle, () => settle(null));
    }
    return differences.get(key);
  }

  /** A run with its pictures where this browser reaches them. */
  function reached(run) {
    const there = (file) => ({ ...file, url: at(file.url) });
    return { ...run, source: run.source && there(run.source), images: run.images.map(there) };
  }

  // --- what the visitor does

  const tell = (event) => (data) => trigger(event, { id: data.id ?? "", index: Number(data.index ?? 0) });
  acts(root, {
    example: tell("example"),
    stop: (data, thing) => {
      thing.disabled = true;
      tell("stop")(data);
    },
    further: (data) => {
      tell("further")(data);
      document.querySelector("#prompt textarea")?.select(); // the next words replace the last ones
    },
    use: tell("use"),
    again: tell("again"),
    reuse: tell("reuse"),
    choose: tell("choose"),
    mode: ({ mode }) => {
      look.mode = mode;
      render();
    },
    zoom: ({ by }) => {
      look.zoom = Math.min(ZOOMS.length - 1, Math.max(0, look.zoom + Number(by)));
      render();
    },
  });
  root.addEventListener("input", (event) => {
    if (event.target.dataset.split === undefined) return;
    look.split = Number(event.target.value);
    event.target.parentElement.style.setProperty("--split", `${look.split}%`);
  });
  root.addEventListener("keydown", (event) => {
    const run = now?.run;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || !run || run.images.length < 2 || event.target.type === "range") return;
    event.preventDefault();
    const index = (now.index + by + run.images.length) % run.images.length;
    trigger("choose", { id: run.id, index });
  });
  setInterval(() => root.querySelector(".op-times") && render(), 500);
  follow("canvas", (value) => {
    now = { ...value, run: value.run && reached(value.run) };
    render();
  });
  render();
}

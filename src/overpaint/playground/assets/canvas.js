// The canvas: examples while there is nothing, the picture as it is painted, and the result to look at closely.

import { acts, button, h, missing, say, show } from "./dom.js";
import { bar, standing, times } from "./progress.js";

const ZOOMS = [0, 1, 2, 4, 8];

export function mount({ element, props, server, watch, trigger }) {
  const root = element.querySelector(".op-canvas");
  const words = props.words;
  const differences = new Map();
  const look = { mode: "result", zoom: 0, split: 50, run: null };
  const isMissing = missing(root, () => render());

  function render() {
    const run = props.value?.run ?? null;
    if (look.run === run?.id && look.state === "running" && run?.state === "succeeded") trigger("done", {});
    if (look.run !== run?.id) Object.assign(look, { mode: "result", zoom: 0, split: 50, run: run?.id ?? null });
    look.state = run && !["succeeded", "failed", "cancelled"].includes(run.state) ? "running" : "ended";
    root.dataset.state = run ? run.state : "empty";
    show(root, run ? [stage(run), run.images.length ? below(run) : null] : examples());
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
          h("span", { lang: "en" }, card.prompt)
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

  function stage(run) {
    if (run.images.length) return [toolbar(run), view(run), variations(run)];
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
      h("p", { class: "op-said" }, run.prompt),
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

  // --- a result

  function toolbar(run) {
    const modes = ["result"];
    if (run.source) modes.push("compare");
    if (run.images.length > 1 || run.source) modes.push("side");
    if (run.source) modes.push("difference");
    return h(
      "div",
      { class: "op-toolbar" },
      h(
        "div",
        { class: "op-modes", role: "group", "aria-label": words.view },
        modes.map((mode) =>
          button("mode", words[`mode_${mode}`], { mode }, { "aria-pressed": String(look.mode === mode) })
        )
      ),
      h(
        "div",
        { class: "op-zooms", role: "group", "aria-label": words.zoom },
        button("zoom", "−", { by: -1 }, { "aria-label": words.zoom_out, disabled: look.zoom === 0 }),
        h("span", { "aria-live": "polite" }, look.zoom ? `${ZOOMS[look.zoom] * 100} %` : words.zoom_fit),
        button("zoom", "+", { by: 1 }, { "aria-label": words.zoom_in, disabled: look.zoom === ZOOMS.length - 1 })
      )
    );
  }

  function view(run) {
    const image = run.images[props.value.index] ?? run.images[0];
    const body = isMissing(image.url)
      ? h("p", { class: "op-hint op-gone" }, words.gone)
      : { result: single, compare, side, difference }[look.mode](run, image);
    return h("div", { class: `op-view op-view-${look.mode}`, tabindex: 0, role: "region", "aria-label": words.canvas }, body);
  }

  function sized(image) {
    if (!look.zoom) return "";
    return `width:${image.width * ZOOMS[look.zoom]}px;max-width:none;max-height:none;`;
  }

  function picture(image, alt, extra = {}) {
    const sharp = look.zoom > 1 ? " op-sharp" : "";
    return h("img", {
      src: image.url,
      alt,
      width: image.width,
      height: image.height,
      style: sized(image),
      ...extra,
      class: `op-checker${sharp} ${extra.class ?? ""}`,
    });
  }

  function single(run, image) {
    return picture(image, say(words.result_of, { prompt: run.prompt }), { class: "op-result" });
  }

  function compare(run, image) {
    const shape = `aspect-ratio:${image.width}/${image.height};${sized(image)}--split:${look.split}%`;
    return h(
      "div",
      { class: "op-compare", style: shape },
      h("img", { src: image.url, alt: words.after, class: "op-checker" }),
      h("img", { src: run.source.url, alt: words.before, class: "op-checker op-before" }),
      h("span", { class: "op-handle", "aria-hidden": "true" }),
      h("input", {
        type: "range",
        min: 0,
        max: 100,
        value: look.split,
        "aria-label": words.split,
        "data-split": "",
        "data-own": "value",
      })
    );
  }

  function side(run) {
    const source = run.source ? [{ ...run.source, label: words.before }] : [];
    const images = run.images.map((image, at) => ({ ...image, label: `${words.result} ${at + 1}` }));
    return h(
      "div",
      { class: "op-side" },
      [...source, ...images].map((image) =>
        h("figure", {}, picture(image, image.label), h("figcaption", {}, image.label))
      )
    );
  }

  function difference(run, image) {
    const at = run.images.indexOf(image);
    const key = `${run.id}/${at}`;
    const found = differences.get(key);
    if (!found) {
      if (found === undefined) {
        differences.set(key, null);
        const settle = (found) => {
          differences.set(key, found ?? { told: words.difference_failed }); // asked once, whatever comes of it
          render();
        };
        server.difference({ id: run.id, index: at }).then(settle, () => settle(null));
      }
      return h("p", { role: "status" }, words.working);
    }
    if (!found.picture) return h("p", { role: "alert", class: "op-problem" }, found.told);
    return h(
      "div",
      { class: "op-difference" },
      picture({ ...image, url: found.picture }, words.mode_difference),
      h("p", { role: "status", class: "op-share", "data-share": found.share }, found.told)
    );
  }

  function variations(run) {
    if (run.images.length < 2) return null;
    return h(
      "div",
      { class: "op-variations", role: "group", "aria-label": words.variations },
      run.images.map((image, at) =>
        h(
          "button",
          {
            type: "button",
            "data-act": "choose",
            "data-id": run.id,
            "data-index": at,
            "aria-pressed": String(at === props.value.index),
            "aria-label": `${words.result} ${at + 1}`,
          },
          h("img", { src: image.url, alt: "", class: "op-checker" })
        )
      )
    );
  }

  function below(run) {
    const image = run.images[props.value.index] ?? run.images[0];
    const data = { id: run.id, index: run.images.indexOf(image) };
    return h(
      "div",
      { class: "op-below" },
      h("p", { class: "op-said" }, run.prompt),
      h(
        "div",
        { class: "op-line op-next" },
        button("further", words.further, data, { class: "op-button op-strong" }),
        button("use", words.use, data),
        button("again", words.again, data),
        button("reuse", words.reuse, data),
        h("a", { class: "op-button", href: image.url, download: image.name }, words.download)
      ),
      h("details", { class: "op-facts", "data-own": "open" }, h("summary", {}, words.facts), facts(run, image))
    );
  }

  function facts(run, image) {
    const own = { ...run.facts, seed: image.seed, size: `${image.width}×${image.height}`, bytes: image.bytes };
    const rows = Object.entries(own).map(([name, value]) =>
      h("div", {}, h("dt", {}, words[`fact_${name}`] ?? name), h("dd", {}, String(value)))
    );
    return h("dl", {}, rows);
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
    const run = props.value?.run;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || !run || run.images.length < 2 || event.target.type === "range") return;
    event.preventDefault();
    const index = (props.value.index + by + run.images.length) % run.images.length;
    trigger("choose", { id: run.id, index });
  });
  setInterval(() => root.querySelector(".op-times") && render(), 500);
  watch("value", render);
  render();
}

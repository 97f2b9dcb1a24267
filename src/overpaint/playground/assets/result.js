// A finished run on the canvas: its picture alone, over what it was made from, beside the others, or what changed.

import { button, h, say } from "./dom.js";

export const ZOOMS = [0, 1, 2, 4, 8]; // the first shows all of it

const shape = (image) => `--ratio:${image.width / image.height};--own:${image.width}px;`;
const sized = (image, zoom) => (zoom ? `width:${image.width * ZOOMS[zoom]}px;max-width:none;` : shape(image));

/** Makes views of a run: `look` says how it is looked at, `isMissing` what is no more; `difference` asks for one. */
export function results({ words, look, isMissing, difference }) {
  function toolbar(run) {
    const modes = ["result"];
    if (run.source) modes.push("compare");
    if (run.images.length > 1 || run.source) modes.push("side");
    if (run.source) modes.push("difference");
    const group = (name, label, ...children) => h("div", { class: name, role: "group", "aria-label": label }, children);
    return h(
      "div",
      { class: "op-toolbar" },
      group("op-modes", words.view, modes.map((mode) =>
        button("mode", words[`mode_${mode}`], { mode }, { "aria-pressed": String(look.mode === mode) }))),
      group("op-zooms", words.zoom,
        button("zoom", "−", { by: -1 }, { "aria-label": words.zoom_out, disabled: look.zoom === 0 }),
        h("span", { "aria-live": "polite" }, look.zoom ? `${ZOOMS[look.zoom] * 100} %` : words.zoom_fit),
        button("zoom", "+", { by: 1 }, { "aria-label": words.zoom_in, disabled: look.zoom === ZOOMS.length - 1 }))
    );
  }

  function view(run, image) {
    const body = isMissing(image.url)
      ? h("p", { class: "op-hint op-gone" }, words.gone)
      : { result: single, compare, side, difference: changed }[look.mode](run, image);
    return h("div", { class: `op-view op-view-${look.mode}`, tabindex: 0, role: "region", "aria-label": words.canvas }, body);
  }

  function picture(image, alt, fit, name = "") {
    const kinds = [name, "op-checker", look.zoom > 1 && "op-sharp", !look.zoom && fit];
    return h("img", { src: image.url, alt, width: image.width, height: image.height, style: sized(image, look.zoom),
      class: kinds.filter(Boolean).join(" ") });
  }

  function single(run, image) {
    return picture(image, say(words.result_of, { prompt: run.prompt }), "op-fit", "op-result");
  }

  function compare(run, image) {
    return h(
      "div",
      { class: look.zoom ? "op-compare" : "op-compare op-fill",
        style: `aspect-ratio:${image.width}/${image.height};${sized(image, look.zoom)}--split:${look.split}%` },
      h("img", { src: image.url, alt: words.after, class: "op-checker" }),
      h("img", { src: run.source.url, alt: words.before, class: "op-checker op-before" }),
      h("span", { class: "op-handle", "aria-hidden": "true" }),
      h("input", { type: "range", min: 0, max: 100, value: look.split, "aria-label": words.split,
        "data-split": "", "data-own": "value" })
    );
  }

  function side(run) {
    const source = run.source ? [{ ...run.source, label: words.before }] : [];
    const images = run.images.map((image, at) => ({ ...image, label: `${words.result} ${at + 1}` }));
    return h("div", { class: "op-side" }, [...source, ...images].map((image) =>
      h("figure", {}, picture(image, image.label, "op-fill"), h("figcaption", {}, image.label))));
  }

  function changed(run, image) {
    const found = difference(run, run.images.indexOf(image));
    if (!found) return h("p", { role: "status" }, words.working);
    if (!found.picture) return h("p", { role: "alert", class: "op-problem" }, found.told);
    return h("div", { class: "op-difference" },
      picture({ ...image, url: found.picture }, words.mode_difference, "op-fit"),
      h("p", { role: "status", class: "op-share", "data-share": found.share }, found.told));
  }

  function variations(run, image) {
    if (run.images.length < 2) return null;
    return h("div", { class: "op-variations", role: "group", "aria-label": words.variations }, run.images.map((one, at) =>
      h("button", { type: "button", "data-act": "choose", "data-id": run.id, "data-index": at,
        "aria-pressed": String(one === image), "aria-label": `${words.result} ${at + 1}` },
        h("img", { src: one.url, alt: "", class: "op-checker" }))));
  }

  function below(run, image) {
    const data = { id: run.id, index: run.images.indexOf(image) };
    return h(
      "div",
      { class: "op-below" },
      h("p", { class: "op-said", dir: "auto" }, run.prompt),
      h("div", { class: "op-line op-next" },
        button("further", words.further, data, { class: "op-button op-strong" }),
        button("use", words.use, data),
        button("again", words.again, data),
        button("reuse", words.reuse, data),
        h("a", { class: "op-button", href: image.url, download: image.name }, words.download)),
      h("details", { class: "op-facts", "data-own": "open" }, h("summary", {}, words.facts), facts(run, image))
    );
  }

  function facts(run, image) {
    const own = { ...run.facts, seed: image.seed, size: `${image.width}×${image.height}`, bytes: image.bytes };
    const rows = Object.entries(own).map(([name, value]) =>
      h("div", {}, h("dt", {}, words[`fact_${name}`] ?? name), h("dd", { dir: "auto" }, String(value))));
    return h("dl", {}, rows);
  }

  return (run, image) => [[toolbar(run), view(run, image), variations(run, image)], below(run, image)];
}

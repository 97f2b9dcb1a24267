// The mask: white may change. Painted over the picture in its own pixels, so that the server gets exactly its sides.

import { at } from "./address.js";
import { acts, button, h, show } from "./dom.js";
import { upload } from "./upload.js";

const UNDO = 20;
const UNDO_BYTES = 512 * 2 ** 20; // each step keeps all samples, which of a large photo are many
const [RED, GREEN, BLUE] = [214, 40, 90]; // how painted places look; what counts is how opaque they are

/** Let the visitor paint a mask for `picture`; what comes back is the stored mask, or null when they thought better. */
export function openMask(words, picture, present) {
  return new Promise((resolve) => new MaskDialog(words, picture, present, resolve).open());
}

/** Draw what has a rim of two feathers, softly: as the shadow of what is drawn out of sight, since Safari's canvases have
 * no blur of their own. */
function soften(pen, drawn, feather) {
  pen.shadowColor = "#fff";
  pen.shadowBlur = feather;
  pen.shadowOffsetX = 2 * drawn.width;
  pen.drawImage(drawn, -2 * feather - pen.shadowOffsetX, -2 * feather);
}

class MaskDialog {
  constructor(words, picture, present, resolve) {
    Object.assign(this, { words, picture, present, resolve, tool: "paint", undone: [] });
    this.mask = h("canvas", { width: picture.width, height: picture.height, tabindex: 0, "aria-label": words.mask_area });
    this.mask.setAttribute("role", "img");
    this.pen = this.mask.getContext("2d", { willReadFrequently: true });
    this.dialog = h("dialog", { class: "op-mask-dialog", "aria-labelledby": "mask-title" }, this.content());
  }

  content() {
    const { words } = this;
    const slider = (id, label, min, max, value) =>
      h("label", { for: id }, label, h("input", { id, type: "range", min, max, value }));
    const widest = Math.max(8, Math.round(Math.min(this.picture.width, this.picture.height) / 2));
    return [
      h("h2", { id: "mask-title" }, words.mask_title),
      h("p", { class: "op-hint" }, words.mask_hint),
      h("div", { class: "op-mask-area", style: `--ratio:${this.picture.width / this.picture.height}` }, h("img", { src: at(this.picture.url), alt: words.source }), this.mask),
      h("div", { class: "op-line op-mask-tools", role: "toolbar", "aria-label": words.mask_tools },
        button("paint", words.mask_tool_paint, {}, { "aria-pressed": "true" }),
        button("erase", words.mask_tool_erase, {}, { "aria-pressed": "false" }),
        slider("mask-size", words.mask_size, 1, widest, Math.round(widest / 4)),
        slider("mask-feather", words.mask_feather, 0, 32, 0)),
      h("div", { class: "op-line op-mask-tools" },
        button("undo", words.undo),
        button("invert", words.mask_invert),
        button("clear", words.mask_clear),
        h("label", { class: "op-button" }, words.mask_import,
          h("input", { type: "file", accept: "image/*", class: "op-hidden-input" }))),
      h("p", { role: "alert", class: "op-problem", hidden: true }),
      h("div", { class: "op-line op-mask-end" },
        button("leave", words.discard),
        button("keep", words.mask_use, {}, { class: "op-button op-strong" })),
    ];
  }

  open() {
    document.body.append(this.dialog);
    acts(this.dialog, {
      paint: () => this.choose("paint"),
      erase: () => this.choose("erase"),
      undo: () => this.undone.length && this.pen.putImageData(this.undone.pop(), 0, 0),
      invert: () => this.change(() => this.invert()),
      clear: () => this.change(() => this.pen.clearRect(0, 0, this.mask.width, this.mask.height)),
      leave: () => this.dialog.close(),
      keep: () => this.keep(),
    });
    this.mask.addEventListener("pointerdown", (event) => this.stroke(event));
    this.mask.addEventListener("pointermove", (event) => event.buttons && this.last && this.line(event));
    for (const end of ["pointerup", "pointercancel"]) this.mask.addEventListener(end, () => { this.last = null; });
    this.dialog.querySelector("input[type=file]").addEventListener("change", (event) => this.import(event.target));
    this.dialog.addEventListener("close", () => {
      this.dialog.remove();
      this.resolve(this.kept ?? null);
    });
    this.dialog.showModal();
    if (this.present) this.draw(at(this.present.url));
  }

  choose(tool) {
    this.tool = tool;
    for (const name of ["paint", "erase"]) {
      this.dialog.querySelector(`[data-act=${name}]`).setAttribute("aria-pressed", String(name === tool));
    }
  }

  /** Do something that can be undone. */
  change(work) {
    this.undone.push(this.pen.getImageData(0, 0, this.mask.width, this.mask.height));
    const most = Math.max(1, Math.min(UNDO, Math.floor(UNDO_BYTES / this.undone[0].data.length)));
    if (this.undone.length > most) this.undone.shift();
    work();
  }

  at(event) {
    const box = this.mask.getBoundingClientRect();
    return [
      ((event.clientX - box.left) * this.mask.width) / box.width,
      ((event.clientY - box.top) * this.mask.height) / box.height,
    ];
  }

  stroke(event) {
    event.preventDefault();
    this.mask.setPointerCapture(event.pointerId);
    this.change(() => {
      this.last = this.at(event);
      this.line(event);
    });
  }

  line(event) {
    const pen = this.pen;
    pen.globalCompositeOperation = this.tool === "paint" ? "source-over" : "destination-out";
    pen.strokeStyle = `rgb(${RED} ${GREEN} ${BLUE})`;
    pen.lineCap = pen.lineJoin = "round";
    pen.lineWidth = Number(this.dialog.querySelector("#mask-size").value);
    pen.beginPath();
    pen.moveTo(...this.last);
    this.last = this.at(event);
    pen.lineTo(...this.last);
    pen.stroke();
    pen.globalCompositeOperation = "source-over";
  }

  invert() {
    const { width, height } = this.mask;
    const shown = this.pen.getImageData(0, 0, width, height);
    for (let at = 0; at < shown.data.length; at += 4) shown.data.set([RED, GREEN, BLUE, 255 - shown.data[at + 3]], at);
    this.pen.putImageData(shown, 0, 0);
  }

  import(field) {
    const file = field.files[0];
    field.value = "";
    if (file) this.change(() => this.draw(URL.createObjectURL(file)));
  }

  /** A mask picture, its light parts painted; scaled to the picture's sides. */
  async draw(url) {
    const image = new Image();
    image.src = url;
    try {
      await image.decode();
    } catch {
      this.complain(this.words.mask_unreadable);
      return;
    }
    const { width, height } = this.mask;
    this.pen.clearRect(0, 0, width, height);
    this.pen.drawImage(image, 0, 0, width, height);
    const shown = this.pen.getImageData(0, 0, width, height);
    for (let at = 0; at < shown.data.length; at += 4) {
      const [red, green, blue, alpha] = shown.data.subarray(at, at + 4);
      const light = (0.299 * red + 0.587 * green + 0.114 * blue) / 255;
      shown.data.set([RED, GREEN, BLUE, Math.round(light * alpha)], at);
    }
    this.pen.putImageData(shown, 0, 0);
  }

  /** White on black, soft at the edge where the visitor wants it. */
  flattened() {
    const { width, height } = this.mask;
    const flat = h("canvas", { width, height });
    const pen = flat.getContext("2d");
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, width, height);
    const feather = Number(this.dialog.querySelector("#mask-feather").value);
    if (feather) soften(pen, this.mirrored(2 * feather), feather);
    else pen.drawImage(this.white(), 0, 0);
    return flat;
  }

  /** What is painted, in white. */
  white() {
    const { width, height } = this.mask;
    const white = h("canvas", { width, height });
    const pen = white.getContext("2d");
    pen.drawImage(this.mask, 0, 0);
    pen.globalCompositeOperation = "source-in";
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, height);
    return white;
  }

  /** What is painted with a rim, mirrored at the picture's borders, so that a soft edge does not eat into what reaches
   * them. Only as much as a soft edge needs: a browser has a largest canvas, and draws nothing on a larger one. */
  mirrored(rim) {
    const { width, height } = this.mask;
    const white = this.white();
    const wide = h("canvas", { width: width + 2 * rim, height: height + 2 * rim });
    const pen = wide.getContext("2d");
    for (const column of [-1, 0, 1]) {
      for (const row of [-1, 0, 1]) {
        pen.setTransform(column ? -1 : 1, 0, 0, row ? -1 : 1,
          rim + (column < 0 ? 0 : column * 2 * width), rim + (row < 0 ? 0 : row * 2 * height));
        pen.drawImage(white, 0, 0);
      }
    }
    return wide;
  }

  async keep() {
    const blob = await new Promise((done) => this.flattened().toBlob(done, "image/png"));
    try {
      this.kept = await upload(this.words, blob, "mask.png");
      this.dialog.close();
    } catch (problem) {
      this.complain(problem.message);
    }
  }

  complain(text) {
    const place = this.dialog.querySelector("[role=alert]");
    place.hidden = false;
    show(place, text);
  }
}

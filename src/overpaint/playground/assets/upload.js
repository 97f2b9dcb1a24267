// A picture file to the server; what it says when it cannot take one is passed on as it is.

import { at } from "./address.js";
import { say } from "./dom.js";

const TAKEN = ["image/jpeg", "image/png", "image/webp", "image/gif"];

/** Send a file; what comes back names it. */
export async function upload(words, file, name = file.name) {
  const form = new FormData();
  form.append("file", await taken(file), name || "picture");
  const language = document.documentElement.lang;
  const response = await fetch(at(`/page/pictures?language=${language}`), { method: "POST", body: form }).catch(() => {
    throw new Error(say(words.upload_lost, { name }));
  });
  const answer = await response.json().catch(() => ({ message: response.statusText }));
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

/** The file as the server takes it: written anew where only this browser can read it, as AVIF, BMP or HEIC. */
async function taken(file) {
  if (TAKEN.includes(file.type)) return file;
  const picture = await createImageBitmap(file).catch(() => null);
  if (!picture) return file;
  const canvas = new OffscreenCanvas(picture.width, picture.height);
  canvas.getContext("2d").drawImage(picture, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}

// How pictures come to the page: dropped anywhere, from a folder or from another page, or pasted.

import { own } from "./address.js";

const FIELDS = "input, textarea, [contenteditable]";

/** Calls `take` with picture files, or `takeUrl` with an address, unless a field for text wants what is dropped, or
 * `isMoving` says that it is no more than a picture of the strip. */
export function arrivals({ take, takeUrl, isMoving }) {
  document.addEventListener("dragover", (event) => {
    // anywhere else a browser would leave the page and open what is dropped
    if (isOurs(event)) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (event.defaultPrevented || !isOurs(event)) return;
    event.preventDefault();
    if (isMoving()) return;
    const files = [...event.dataTransfer.files];
    const url = addressOf(event.dataTransfer);
    if (url && own(url)) takeUrl(url); // of this very server: a file of the same would lose where it came from
    else if (files.length) take(files);
    else if (url) takeUrl(url);
  });
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((file) => file.type.startsWith("image/"));
    if (!files.length) return;
    event.preventDefault();
    take(files);
  });
}

function isOurs({ dataTransfer, target }) {
  const types = dataTransfer?.types ?? [];
  return types.includes("Files") || (types.includes("text/uri-list") && !target.closest?.(FIELDS));
}

/** The picture's address where a page told it, else the link's. */
function addressOf(transfer) {
  const html = transfer.getData("text/html");
  const picture = html && new DOMParser().parseFromString(html, "text/html").querySelector("img")?.getAttribute("src");
  const lines = transfer.getData("text/uri-list").split(/[\r\n]+/);
  const link = lines.find((line) => line && !line.startsWith("#"));
  return (URL.canParse(picture) ? picture : link) ?? "";
}

// What survives a reload, in this tab: the words that were typed and the pictures that were chosen.

const WORDS = "overpaint-prompt";
const PICTURES = "overpaint-pictures";

export function keepWords() {
  const field = document.querySelector("#prompt textarea");
  if (!field) {
    requestAnimationFrame(keepWords);
    return;
  }
  field.dir = "auto"; // some are written from the right to the left
  const kept = sessionStorage.getItem(WORDS);
  if (kept && !field.value) {
    field.value = kept;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  field.addEventListener("input", () => sessionStorage.setItem(WORDS, field.value));
}

export function keepPictures(value) {
  sessionStorage.setItem(PICTURES, JSON.stringify(value));
}

/** What the strip of references held; null where it held nothing. */
export function keptPictures() {
  return JSON.parse(sessionStorage.getItem(PICTURES) ?? "null");
}

export function forgetPictures() {
  sessionStorage.removeItem(PICTURES);
}

// What survives a reload, in this tab: the words that were typed, the pictures that were chosen, and how to paint them.

const WORDS = "overpaint-prompt";
const PICTURES = "overpaint-pictures";
const SETTINGS = "overpaint-settings";
const settings = sessionStorage.getItem(SETTINGS); // before a field of this page told its first value

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

/** Keep those of the form's `values` that are others than the `first`, by the names of these. */
export function keepSettings(first, values) {
  const now = Object.keys(first).map((name, at) => [name, values[at]]);
  const changed = now.filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(first[name]));
  sessionStorage.setItem(SETTINGS, JSON.stringify(Object.fromEntries(changed)));
}

/** The settings that were others than the first before the page was loaded anew. */
export function keptSettings() {
  return JSON.parse(settings ?? "{}");
}

/** The settings that are others than the first now. */
export function presentSettings() {
  return JSON.parse(sessionStorage.getItem(SETTINGS) ?? "{}");
}

/** They are the key's that signs out. */
export function forget() {
  for (const name of [WORDS, PICTURES, SETTINGS]) sessionStorage.removeItem(name);
}

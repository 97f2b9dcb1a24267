// What was typed survives a reload, in this tab.

const KEY = "overpaint-prompt";

export function keepWords() {
  const field = document.querySelector("#prompt textarea");
  if (!field) {
    requestAnimationFrame(keepWords);
    return;
  }
  const kept = sessionStorage.getItem(KEY);
  if (kept && !field.value) {
    field.value = kept;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
  field.addEventListener("input", () => sessionStorage.setItem(KEY, field.value));
}

// Light or dark: as the system has it, until somebody chooses; the choice is this browser's.

const KEY = "overpaint-colours";

function apply() {
  const chosen = localStorage.getItem(KEY);
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const isDark = (chosen ?? system) === "dark";
  document.body?.classList.toggle("dark", isDark);
  document.documentElement.dataset.colours = isDark ? "dark" : "light";
}

export function toggleColours() {
  localStorage.setItem(KEY, document.body.classList.contains("dark") ? "light" : "dark");
  apply();
}

apply();
addEventListener("DOMContentLoaded", apply);
// Gradio sets the class once more when it has started; what was chosen goes before that.
new MutationObserver(() => {
  const wanted = document.documentElement.dataset.colours === "dark";
  if (document.body && document.body.classList.contains("dark") !== wanted) apply();
}).observe(document.documentElement, { attributes: true, subtree: true, attributeFilter: ["class"] });

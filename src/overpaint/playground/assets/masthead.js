// The head of the page: name, language, colours, who is signed in; and what holds for the whole page.

import { acts, button, h, show } from "./dom.js";
import { toggleColours } from "./colours.js";
import { watchAsking } from "./asking.js";
import { openFrames } from "./frames.js";
import { forget, keepWords } from "./keep.js";

export function mount({ element, props, watch }) {
  const root = element.querySelector(".op-masthead");
  const { words, language, languages } = props;
  const state = { isOpen: false, isLost: false };
  document.documentElement.lang = language;

  function render() {
    const who = props.value ?? {};
    const others = Object.entries(languages).filter(([name]) => name !== language);
    show(
      root,
      h("h1", {}, h("span", { class: "op-mark", "aria-hidden": "true" }), "Overpaint"),
      h("nav", { "aria-label": words.page_menu },
        others.map(([name, title]) => h("a", { href: name === "en" ? "/" : `/${name}`, lang: name, hreflang: name }, title)),
        button("colours", words.colours),
        h("a", { href: "/docs" }, "API"),
        who.key ? h("span", { class: "op-who" }, who.admin ? `${who.key} · ${words.admin}` : who.key) : null,
        h("form", { method: "post", action: "/page/sign-out" }, h("button", { class: "op-button", type: "submit" }, words.sign_out))),
      h("p", { class: "op-lost", role: "status" }, state.isLost ? words.unreachable : "")
    );
  }

  acts(root, { colours: toggleColours });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    document.activeElement?.blur?.(); // so that what was typed last is in the form
    document.querySelector("#run")?.click();
  });
  root.addEventListener("submit", forget);
  keepWords();
  watchAsking(language);
  watch("value", hear);
  hear();

  function hear() {
    render();
    if (state.isOpen || !props.value?.page) return;
    state.isOpen = true;
    openFrames(props.value.page, (isLost) => {
      state.isLost = isLost;
      render();
    });
  }
}

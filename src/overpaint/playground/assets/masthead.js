// The head of the page: name, language, colours, who is signed in; and what holds for the whole page.

import { at } from "./address.js";
import { acts, button, h, say, show } from "./dom.js";
import { toggleColours } from "./colours.js";
import { leave, watchAsking } from "./asking.js";
import { follow, openFrames } from "./frames.js";
import { forget, keepWords } from "./keep.js";
import { hold, holds } from "./waiting.js";

const SIGNED_OUT = "overpaint-signed-out";
const PAINTING = "#run, [data-act=example], [data-act=again]";

export function mount({ element, props, watch, trigger }) {
  const root = element.querySelector(".op-masthead");
  const { words, language, languages } = props;
  const state = { isOpen: false, isLost: false, missing: null };
  document.documentElement.lang = language;

  function render() {
    const who = props.value ?? {};
    const others = Object.entries(languages).filter(([name]) => name !== language);
    show(
      root,
      h("h1", {}, h("span", { class: "op-mark", "aria-hidden": "true" }), "Overpaint"),
      h("nav", { "aria-label": words.page_menu },
        others.map(([name, title]) => h("a", { href: at(name === "en" ? "/" : `/${name}`), lang: name, hreflang: name }, title)),
        button("colours", words.colours),
        h("a", { href: at("/docs") }, "API"),
        who.key ? h("span", { class: "op-who" }, who.admin ? `${who.key} · ${words.admin}` : who.key) : null,
        h("form", { method: "post", action: at("/page/sign-out") }, h("button", { class: "op-button", type: "submit" }, words.sign_out))),
      h("p", { class: "op-lost", role: "status" }, state.isLost ? words.unreachable : ""),
      h("p", { class: "op-missing", role: "status" }, state.missing ? say(words.engine_missing, { why: state.missing }) : "")
    );
  }

  acts(root, { colours: toggleColours });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    document.activeElement?.blur?.(); // so that what was typed last is in the form
    document.querySelector("#run")?.click();
  });
  root.addEventListener("submit", () => {
    forget();
    localStorage.setItem(SIGNED_OUT, String(Date.now())); // the other tabs hear of it
  });
  addEventListener("storage", ({ key }) => {
    if (key !== SIGNED_OUT) return;
    forget();
    leave(language);
  });
  keepWords();
  watchAsking(language);
  follow("engine", ({ missing }) => {
    if (missing) hold("engine", words.run_waits_engine, PAINTING);
    else if (holds("engine")) trigger("loaded", {}); // what was held back goes on once the form is as the model wants it
    state.missing = missing;
    render();
  });
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

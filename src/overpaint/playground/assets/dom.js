// Elements from values, and the least change that makes what stands there look like them. Knows nothing of the page.

/** An element: `h("a", {href: "#", class: "x"}, "text", other)`; null and false are left out. */
export function h(tag, attributes = {}, ...children) {
  const svg = ["svg", "path", "rect", "line", "text", "g", "polyline", "title"].includes(tag);
  const element = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make `element` hold `children`; elements that stay keep their focus, their scroll and what they have loaded. */
export function show(element, ...children) {
  const fresh = h("div", {}, ...children);
  patchChildren(element, fresh);
}

function patchChildren(element, fresh) {
  const olds = [...element.childNodes];
  const news = [...fresh.childNodes];
  news.forEach((node, at) => {
    const old = olds[at];
    if (!old) element.append(node);
    else if (isSame(old, node)) patch(old, node);
    else old.replaceWith(node);
  });
  olds.slice(news.length).forEach((node) => node.remove());
}

function isSame(old, fresh) {
  return old.nodeName === fresh.nodeName && (old.dataset?.key ?? "") === (fresh.dataset?.key ?? "");
}

function patch(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !old.dataset.own?.split(" ").includes(name)) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (!fresh.hasAttribute("data-own-children")) patchChildren(old, fresh);
}

/** Have clicks on anything with `data-act` within `element` call the action of that name with the thing's data. */
export function acts(element, actions) {
  element.addEventListener("click", (event) => {
    const thing = event.target.closest("[data-act]");
    if (thing && element.contains(thing) && !thing.disabled) actions[thing.dataset.act]?.(thing.dataset, thing, event);
  });
}

/** Tells which pictures within `root` the server does not have any more; `render` is called when one more is found. */
export function missing(root, render) {
  const paths = new Set();
  const path = (url) => url.split("?")[0];
  const look = async ({ target }) => {
    const url = target.getAttribute("src");
    const answer = url ? await fetch(url, { method: "HEAD" }).catch(() => null) : null;
    if (!answer || ![403, 404, 410].includes(answer.status)) return; // out of reach is not gone
    paths.add(path(url));
    render();
  };
  root.addEventListener("error", look, true);
  return (url) => paths.has(path(url));
}

/** A text with its values: `say("step {step}", {step: 3})`. */
export function say(text, values = {}) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** A button with an icon and a word. */
export function button(act, label, data = {}, attributes = {}) {
  const named = Object.fromEntries(Object.entries(data).map(([name, value]) => [`data-${name}`, value]));
  return h("button", { type: "button", class: "op-button", "data-act": act, ...named, ...attributes }, label);
}

/** Milliseconds as people say them. */
export function clock(ms) {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

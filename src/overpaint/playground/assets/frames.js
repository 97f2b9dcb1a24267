// What happens, as frames of a stream that lasts as long as the page is looked at. It is asked for again after a restart,
// a sleep or a broken network; the form stays as it is.

import { at } from "./address.js";
import { LOST } from "./asking.js";

const SESSION = "overpaint-working-in";
const QUIET_MS = 15_000; // several frames that did not come
const TRY_MS = 3_000;
const HIDDEN_MS = 60_000; // a browser has few connections to a server, for all its tabs together

const followers = {};
const last = {};

/** Have `take` called with what a part of the page is to show, now and whenever that changes. */
export function follow(part, take) {
  followers[part] = take;
  if (last[part]) take(last[part]);
}

/** Open the stream of this page, and tell by `tell` whether the server is out of reach. */
export function openFrames(page, tell) {
  const state = { source: null, heard: 0, hiding: null, isTrying: false };

  function open() {
    state.source?.close();
    state.heard = Date.now();
    const session = localStorage.getItem(SESSION) ?? "";
    const asked = new URLSearchParams({ page, session, language: document.documentElement.lang });
    state.source = new EventSource(at(`/page/frames?${asked}`));
    state.source.onmessage = ({ data }) => hear(JSON.parse(data));
    state.source.onerror = () => {
      state.source.close(); // a browser would not try again after every error
      state.heard = 0;
      look();
    };
  }

  function hear(changed) {
    state.heard = Date.now();
    Object.assign(last, changed);
    if (changed.history) localStorage.setItem(SESSION, changed.history.session);
    for (const [part, value] of Object.entries(changed)) followers[part]?.(value);
  }

  /** See whether the server is there, when nothing was heard; behind the key, so that who has none is led away. */
  async function look() {
    if (state.isTrying || !state.source || Date.now() - state.heard < QUIET_MS) return;
    state.isTrying = true;
    const answer = await fetch(at("/gradio_api/app_id"), { cache: "no-store" }).catch(() => null);
    state.isTrying = false;
    tell(!answer?.ok);
    if (answer?.ok && state.source) open();
  }

  function rest() {
    state.source.close();
    state.source = null;
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(state.hiding);
    if (document.hidden && state.source) state.hiding = setTimeout(rest, HIDDEN_MS);
    else if (!document.hidden && !state.source) open();
    else look();
  });
  addEventListener(LOST, () => {
    tell(true);
    state.heard = 0;
  });
  addEventListener("online", look);
  setInterval(look, TRY_MS);
  open();
}

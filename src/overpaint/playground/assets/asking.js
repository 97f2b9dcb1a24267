// What holds for all that the page asks of the server.

import { at } from "./address.js";

export const LOST = "overpaint-lost";

/** Whoever is known no more, by a key revoked or a sign-out in another tab, is led to the sign-in page by the first
 * refusal. What could not be sent is answered here: Gradio would load the page anew, and the form would be empty. */
export function watchAsking(language) {
  const ask = window.fetch.bind(window);
  window.fetch = async (what, how) => {
    const answer = await ask(what, how).catch((problem) => unsent(what, how, problem));
    if (answer.status === 401) leave(language);
    return answer;
  };
}

/** To the sign-in page. */
export function leave(language) {
  location.assign(at(`/page/sign-in?language=${language}`));
}

function unsent(what, how, problem) {
  const path = new URL(what.url ?? what, location.href).pathname;
  if (how?.method !== "POST" || !path.includes("/gradio_api/")) throw problem;
  dispatchEvent(new Event(LOST));
  return new Response(JSON.stringify({ error: "unreachable" }), { status: 503 });
}

// How far a run is, in words and as a bar; the canvas and the tray show the same.

import { clock, h, say } from "./dom.js";

/** One line about a run under way. */
export function standing(words, run) {
  const live = run.live;
  if (!live) return words[`state_${run.state}`];
  if (live.position !== null) {
    return live.position > 0 ? say(words.queue_position, { position: live.position }) : words.queue_next;
  }
  if (!live.steps || live.stage === "condition") return words.stage_condition;
  if (live.stage === "decode") return words.stage_decode;
  return say(words.step_of, { step: live.step, steps: live.steps });
}

/** The bar; without a number while nothing can be counted yet. */
export function bar(words, run) {
  const live = run.live;
  const known = live && live.steps > 0;
  const share = known ? live.step / live.steps : 0;
  return h(
    "div",
    {
      class: known ? "op-bar" : "op-bar op-bar-waiting",
      role: "progressbar",
      "aria-label": words.progress,
      "aria-valuemin": 0,
      "aria-valuemax": known ? live.steps : null,
      "aria-valuenow": known ? live.step : null,
    },
    h("span", { style: known ? `width:${(share * 100).toFixed(1)}%` : "" })
  );
}

/** Time gone and time left. */
export function times(words, run) {
  const left = run.live?.remaining_ms;
  const gone = say(words.elapsed, { time: clock(Date.now() - run.created_ms) });
  return left === null || left === undefined ? gone : `${gone} · ${say(words.remaining, { time: clock(left) })}`;
}

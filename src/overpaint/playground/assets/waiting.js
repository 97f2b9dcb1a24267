// Who presses "Paint" before it can be painted has it painted as soon as it can: pictures are on their way, the engine
// is not there.

const held = new Map(); // by what is waited for: what is said meanwhile, and which buttons it holds back
let pressed = null;

const run = () => document.querySelector("#run");

/** Hold back what is pressed of `buttons` until `release`, and say so at the button for painting. */
export function hold(name, said, buttons) {
  held.set(name, { said, buttons });
  mark();
}

/** Whether something is waited for. */
export function holds(name) {
  return held.has(name);
}

/** It is there: press what was pressed meanwhile, unless something else is waited for. */
export function release(name) {
  held.delete(name);
  const button = held.size ? null : pressed;
  if (!held.size) pressed = null;
  mark();
  if (button) setTimeout(() => button.click()); // once the form knows
}

/** What was pressed is not to be painted: something of it is missing. */
export function letGo() {
  pressed = null;
  mark();
}

function mark() {
  const [first] = held.values();
  if (pressed && first) run().dataset.waits = first.said;
  else delete run()?.dataset.waits;
}

document.addEventListener(
  "click",
  (event) => {
    const holding = [...held.values()].find(({ buttons }) => event.target.closest?.(buttons));
    if (!holding) return;
    event.stopImmediatePropagation();
    pressed = event.target.closest(holding.buttons);
    mark();
  },
  true
);

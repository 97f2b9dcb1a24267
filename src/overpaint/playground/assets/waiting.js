// Who presses "Paint" while pictures are still on their way has it painted when they are here.

/** Counts what is on its way; `begin` it, and `end` it with whether all is here. */
export function waiting(words) {
  const state = { count: 0, isPressed: false };
  const run = () => document.querySelector("#run");

  function mark() {
    if (state.isPressed) run().dataset.waits = words.run_waits;
    else delete run()?.dataset.waits;
  }

  document.addEventListener(
    "click",
    (event) => {
      if (!state.count || !event.target.closest?.("#run")) return;
      event.stopImmediatePropagation();
      state.isPressed = true;
      mark();
    },
    true
  );

  return {
    begin: () => {
      state.count += 1;
    },
    end: (isHere) => {
      state.count -= 1;
      const isWanted = state.isPressed && isHere && !state.count;
      if (!isHere || !state.count) state.isPressed = false;
      mark();
      if (isWanted) setTimeout(() => run().click()); // once the form knows them
    },
  };
}

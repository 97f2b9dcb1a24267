"""A program with an engine process that works on something; run to be killed."""

import time
from functools import partial

from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from overpaint.engine.process.engine import ProcessEngine
from tests.unit.engine.process.openers import open_null

if __name__ == "__main__":
    engine = ProcessEngine(partial(open_null, 0.05))
    engine.wait_loaded(60)
    engine.submit("a", GenerationRequest(prompt="p", size=Size(64, 64), steps=200))
    next(engine.events("a"))
    print(engine.pid, flush=True)
    time.sleep(60)

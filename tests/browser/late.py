"""`overpaint serve` whose engine is loaded as late as a test wants: once the file that `LATE_WHILE_THERE` names is
gone. A server of its own process like any other.
"""

import os
import time
from pathlib import Path

from overpaint.compose import server as compose_server
from overpaint.compose.engine import open_engine
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.ports import WritingEngine

FILE = "LATE_WHILE_THERE"


def open_late(model: ModelConfig, engine: EngineConfig | None = None) -> WritingEngine:
    """In the place of `open_engine`."""
    while Path(os.environ[FILE]).exists():
        time.sleep(0.05)
    return open_engine(model, engine)


def main() -> None:
    """Run the command line with that engine."""
    from overpaint.__main__ import main as run
    from tests.browser import late  # by this name the child process finds it, too

    compose_server.open_engine = late.open_late
    run()


if __name__ == "__main__":
    main()

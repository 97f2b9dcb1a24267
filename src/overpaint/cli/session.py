"""An engine for the length of one command, with a progress display that does not fight the libraries' own."""

from collections.abc import Generator
from contextlib import contextmanager

from overpaint.cli.progress import LiveProgress
from overpaint.cli.quiet import hush
from overpaint.compose.engine import NULL_SCHEME, open_engine
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.ports import EngineClient
from overpaint.model.checkpoint_files import is_hub_id


@contextmanager
def engine_session(
    model: ModelConfig, scheduling: EngineConfig | None = None, *, verbose: bool
) -> Generator[tuple[EngineClient, LiveProgress]]:
    """Open the engine and show that it loads; close both at the end.

    A checkpoint that may have to be fetched is announced in one plain line, and the live display begins after it: the
    hub draws its own bars meanwhile.

    Args:
        model: the checkpoint to load.
        scheduling: how the engine schedules, where that is not the default.
        verbose: whether libraries may log.
    """
    is_fetched = _may_be_fetched(model.source)
    if not verbose:
        hush(keep_bars=is_fetched)
    progress = LiveProgress()
    loading = f"loading {model.source or 'the bundled checkpoint'}"
    if is_fetched:
        progress.print(f"{loading}; it is fetched first where it is not here yet")
    else:
        progress.start(loading)
    try:
        engine = open_engine(model, scheduling)
        try:
            progress.start("waiting")
            yield engine, progress
        finally:
            engine.close()
    finally:
        progress.stop()


def _may_be_fetched(source: str | None) -> bool:
    return source is not None and not source.startswith(NULL_SCHEME) and is_hub_id(source)

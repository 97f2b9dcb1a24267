"""Opens the engine that a configuration asks for.

Imports an engine when it is opened and not before: torch takes seconds, and most mistakes can be told without it.
"""

from overpaint.compose.imports import large_imports
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import ConfigError
from overpaint.core.ports import WritingEngine
from overpaint.engine.null import NullEngine
from overpaint.model.checkpoint_files import is_hub_id, locate, read_index, weighted
from overpaint.model.gguf_file import check_gguf
from overpaint.model.weight_files import check_weights

NULL_SCHEME = "null:"


def open_engine(model: ModelConfig, engine: EngineConfig | None = None) -> WritingEngine:
    """Load the checkpoint and start an engine on it; the caller closes it.

    A `model.source` of ``"null:"`` gives the engine that paints flat colours without a checkpoint; ``"null:0.5"`` has
    it take half a second a step.

    Raises:
        ConfigError: the checkpoint or the device cannot be used.
    """
    if model.source is not None and model.source.startswith(NULL_SCHEME):
        return NullEngine(_step_s(model.source))
    if model.source is None or not is_hub_id(model.source):  # so that what is wrong is told before torch is imported
        _, folder = locate(model.source, model.transformer)
        read_index(folder)
        for component in weighted(model.transformer):
            check_weights(folder / component)
    if model.transformer is not None:
        check_gguf(model.transformer)
    with large_imports():
        from overpaint.engine.local import LocalEngine

    return LocalEngine.open(model, engine)


def _step_s(source: str) -> float:
    text = source.removeprefix(NULL_SCHEME)
    try:
        step_s = float(text or 0)
    except ValueError:
        step_s = -1.0
    if not 0 <= step_s <= 60:
        raise ConfigError(f"model: {source!r} must have 0 to 60 seconds a step after {NULL_SCHEME!r}")
    return step_s

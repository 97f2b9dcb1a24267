"""`--lora NAME_OR_FILE[:SCALE]` to adapters that an engine can open."""

from collections.abc import Sequence
from pathlib import Path

from overpaint.core.errors import RequestError
from overpaint.core.request import AdapterFile, AdapterRef, check_adapter_count
from overpaint.lora.folder import AdapterFolder, open_file

FIELD = "lora"


def read_loras(given: Sequence[str], folder: Path | None) -> tuple[AdapterFile, ...]:
    """The files behind what was given.

    Args:
        given: each a file, or a name in the folder, with its scale after a colon where that is not 1.
        folder: `OVERPAINT_ADAPTERS`.

    Raises:
        RequestError: there is no such file or name, its scale is out of bounds, or there are too many.
        ConfigError: the folder is none.
    """
    try:
        check_adapter_count(len(given))
        return tuple(read_lora(*_split(text), folder) for text in given)
    except RequestError as exc:
        raise RequestError(FIELD, exc.value, exc.rule) from exc


def read_lora(source: str, scale: float, folder: Path | None) -> AdapterFile:
    """The file behind one of them.

    Raises:
        RequestError: there is no such file or name, or its scale is out of bounds.
        ConfigError: the folder is none.
    """
    if Path(source).is_file():
        return open_file(Path(source), scale, FIELD)
    at_hand = AdapterFolder(folder)
    path = at_hand.find(AdapterRef(source, scale))
    if path is None:
        known = ", ".join(at_hand.names()) or "nothing"
        raise RequestError(FIELD, source, f"is no file here, and OVERPAINT_ADAPTERS has {known}")
    return open_file(path, scale, FIELD)


def _split(text: str) -> tuple[str, float]:
    source, colon, scale = text.rpartition(":")
    try:
        return (source, float(scale)) if colon else (text, 1.0)
    except ValueError:
        return text, 1.0

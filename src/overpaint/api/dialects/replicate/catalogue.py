"""Which models Replicate's names mean here: its own, and this server's as ``overpaint/...``."""

from overpaint.api.dialects.replicate.convert import FAMILY
from overpaint.api.dialects.replicate.pages import OWNER
from overpaint.api.models import model_at, vendor_name
from overpaint.service.catalogue import Catalogue, ModelEntry


def find(catalogue: Catalogue, name: str) -> ModelEntry:
    """The model called ``owner/name``.

    Raises:
        TaskNotFoundError: there is none.
    """
    return model_at(catalogue, name.removeprefix(f"{OWNER}/"), FAMILY)


def names(catalogue: Catalogue) -> list[str]:
    """All models, as ``owner/name``: Replicate's first."""
    vendors = [vendor_name(name, FAMILY) for name in catalogue.names() if name.startswith(FAMILY)]
    return vendors + [f"{OWNER}/{entry.id}" for entry in catalogue.models()]

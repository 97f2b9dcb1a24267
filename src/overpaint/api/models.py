"""Which model of the catalogue a vendor's name means. Knows no vendor."""

from overpaint.api.errors import MissingFieldError
from overpaint.core.errors import RequestError, TaskNotFoundError
from overpaint.service.catalogue import Catalogue, ModelEntry


def find_model(catalogue: Catalogue, name: str, family: str = "") -> ModelEntry:
    """The model that a dialect calls `name`.

    Args:
        catalogue: of this server.
        name: as the request has it.
        family: what the dialect's `models.toml` puts before the vendor's names (``"segmind/"``), because two vendors
            may call different things by one name. A name of the server's own works in every dialect.

    Raises:
        RequestError: field ``"model"``; there is none.
    """
    try:
        return catalogue.find(f"{family}{name.strip('/ ')}")
    except RequestError:
        return catalogue.find(name)


def model_at(catalogue: Catalogue, name: str, family: str = "") -> ModelEntry:
    """`find_model`, for dialects whose paths name the model.

    Raises:
        TaskNotFoundError: there is none; clients expect 404 for it.
    """
    try:
        return find_model(catalogue, name, family)
    except RequestError as exc:
        raise TaskNotFoundError(exc.message) from exc


def model_named(catalogue: Catalogue, name: str | None, family: str = "") -> ModelEntry:
    """`model_at`, for dialects whose bodies name the model.

    Raises:
        MissingFieldError: the body names none.
        TaskNotFoundError: there is none of that name.
    """
    if not name:
        raise MissingFieldError("model")
    return model_at(catalogue, name, family)


def vendor_name(entry_id: str, family: str) -> str:
    """What the dialect with that family calls a model."""
    return entry_id.removeprefix(family)

"""OpenAI's list of models: this server's own, and the names of others that mean one of them."""

from fastapi import APIRouter

from overpaint.api.deps import ServiceDep
from overpaint.api.dialects.openai.access import OpenAICallerDep
from overpaint.api.dialects.openai.answers import ERRORS
from overpaint.api.dialects.openai.convert import FAMILY
from overpaint.api.dialects.openai.schemas import ModelCard, ModelList
from overpaint.api.models import model_at, vendor_name
from overpaint.service.catalogue import Catalogue, ModelEntry

router = APIRouter(tags=["openai"], responses=ERRORS)


def find(catalogue: Catalogue, name: str | None) -> ModelEntry:
    """The model of a request; the server's first when it names none.

    Raises:
        TaskNotFoundError: there is none with that name; clients expect 404 for it.
    """
    return model_at(catalogue, name, FAMILY) if name else catalogue.models()[0]


@router.get("/models", operation_id="openai_models")
async def list_models(service: ServiceDep, _caller: OpenAICallerDep) -> ModelList:
    """All models."""
    catalogue = service.catalogue
    names = [entry.id for entry in catalogue.models()]
    names += [vendor_name(name, FAMILY) for name in catalogue.names() if name.startswith(FAMILY)]
    return ModelList(data=[ModelCard(id=name) for name in names])


@router.get("/models/{model:path}", operation_id="openai_model")
async def get_model(model: str, service: ServiceDep, _caller: OpenAICallerDep) -> ModelCard:
    """One model."""
    return ModelCard(id=vendor_name(find(service.catalogue, model).id, FAMILY))

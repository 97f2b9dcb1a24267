"""Model and version pages, and what else Replicate's clients ask a server about itself."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request

from overpaint.api.body import read_body
from overpaint.api.deps import ConfigDep, LinksDep, ServiceDep
from overpaint.api.dialects.replicate.access import ReplicateCallerDep
from overpaint.api.dialects.replicate.answers import ERRORS
from overpaint.api.dialects.replicate.catalogue import find, names
from overpaint.api.dialects.replicate.pages import COG_VERSION, openapi_schema, version_of
from overpaint.api.dialects.replicate.schemas import Configuration, Deployment, ModelCard, Page, Release, VersionCard
from overpaint.api.dialects.replicate.tell import timestamp
from overpaint.api.public_url import Links
from overpaint.core.errors import TaskNotFoundError
from overpaint.service.caller import Caller
from overpaint.service.catalogue import Catalogue
from overpaint.service.service import Service

router = APIRouter(tags=["replicate"], responses=ERRORS)
COLLECTION = {"slug": "image-editing", "name": "Image editing", "description": "What this server paints."}
SINCE = timestamp(datetime(2026, 11, 21, tzinfo=UTC))


@router.get("/models", operation_id="replicate_models")
async def list_models(service: ServiceDep, _caller: ReplicateCallerDep, links: LinksDep) -> Page:
    """All models, on one page."""
    return Page(results=_cards(service.catalogue, links))


@router.api_route("/models", methods=["QUERY"], include_in_schema=False)
async def search(
    request: Request, service: ServiceDep, _caller: ReplicateCallerDep, links: LinksDep, config: ConfigDep
) -> Page:
    """The models whose name or description has the words of the body."""
    text = (await read_body(request, config.max_body_bytes)).decode("utf-8", "replace").strip().strip('"').lower()
    cards = _cards(service.catalogue, links)
    return Page(results=[card for card in cards if text in f"{card.owner}/{card.name} {card.description}".lower()])


@router.get("/models/{owner}/{model}", operation_id="replicate_model")
async def get_model(
    owner: str, model: str, service: ServiceDep, _caller: ReplicateCallerDep, links: LinksDep
) -> ModelCard:
    """A model and its version."""
    return _card(service.catalogue, f"{owner}/{model}", links)


@router.get("/models/{owner}/{model}/versions", operation_id="replicate_versions")
async def list_versions(owner: str, model: str, service: ServiceDep, _caller: ReplicateCallerDep) -> Page:
    """The versions of a model: one."""
    find(service.catalogue, f"{owner}/{model}")
    return Page(results=[_version(f"{owner}/{model}")])


@router.get("/models/{owner}/{model}/versions/{version_id}", operation_id="replicate_version")
async def get_version(
    owner: str, model: str, version_id: str, service: ServiceDep, _caller: ReplicateCallerDep
) -> VersionCard:
    """What a version takes and gives."""
    find(service.catalogue, f"{owner}/{model}")
    if version_id != version_of(f"{owner}/{model}"):
        raise TaskNotFoundError(f"there is no version {version_id[:64]!a} of {owner}/{model}")
    return _version(f"{owner}/{model}")


@router.get("/deployments", operation_id="replicate_deployments")
async def list_deployments(service: ServiceDep, caller: ReplicateCallerDep) -> Page:
    """All deployments, on one page: each model is one, by its own name."""
    return Page(results=[_deployment(service, caller, name) for name in names(service.catalogue)])


@router.get("/deployments/{owner}/{model}", operation_id="replicate_deployment")
async def get_deployment(owner: str, model: str, service: ServiceDep, caller: ReplicateCallerDep) -> Deployment:
    """A deployment, whose predictions are those of its model."""
    find(service.catalogue, f"{owner}/{model}")
    return _deployment(service, caller, f"{owner}/{model}")


@router.get("/account", operation_id="replicate_account")
async def account(caller: ReplicateCallerDep) -> dict[str, Any]:
    """The key."""
    return _account(caller)


@router.get("/hardware", operation_id="replicate_hardware")
async def hardware(service: ServiceDep, _caller: ReplicateCallerDep) -> list[dict[str, str]]:
    """What the models run on: one device."""
    return [{"sku": service.model_info.device, "name": f"This server's {service.model_info.device}"}]


@router.get("/collections", operation_id="replicate_collections")
async def collections(_caller: ReplicateCallerDep) -> Page:
    """One, of all models."""
    return Page(results=[COLLECTION])


@router.get("/collections/{slug}", operation_id="replicate_collection")
async def collection(slug: str, service: ServiceDep, _caller: ReplicateCallerDep, links: LinksDep) -> dict[str, Any]:
    """It, with its models."""
    if slug != COLLECTION["slug"]:
        raise TaskNotFoundError(f"there is no collection {slug[:64]!a}")
    return {**COLLECTION, "models": _cards(service.catalogue, links)}


@router.get("/webhooks/default/secret", operation_id="replicate_webhook_secret")
async def webhook_secret(caller: ReplicateCallerDep) -> dict[str, str]:
    """What the key's webhooks are signed with."""
    return {"key": caller.key.webhook_secret}


def _cards(catalogue: Catalogue, links: Links) -> list[ModelCard]:
    return [_card(catalogue, name, links) for name in names(catalogue)]


def _card(catalogue: Catalogue, name: str, links: Links) -> ModelCard:
    entry = find(catalogue, name)
    owner, _, model = name.partition("/")
    return ModelCard(
        url=links.route(f"/v1/models/{name}"),
        owner=owner,
        name=model,
        description=entry.title,
        latest_version=_version(name),
    )


def _version(name: str) -> VersionCard:
    return VersionCard(
        id=version_of(name), created_at=SINCE, cog_version=COG_VERSION, openapi_schema=openapi_schema(name)
    )


def _account(caller: Caller) -> dict[str, Any]:
    return {"type": "organization", "username": caller.key.name, "name": caller.key.name, "github_url": None}


def _deployment(service: Service, caller: Caller, name: str) -> Deployment:
    owner, _, model = name.partition("/")
    release = Release(
        model=name,
        version=version_of(name),
        created_at=SINCE,
        created_by=_account(caller),
        configuration=Configuration(hardware=service.model_info.device),
    )
    return Deployment(owner=owner, name=model, current_release=release)

"""AtlasCloud's list of models, and what its inputs are: what its n8n node and its MCP server read before they submit.

Neither sends a key there. Source: `AtlasCloudAI/n8n-nodes-atlascloud` and `AtlasCloudAI/mcp-server` on GitHub.
"""

from typing import Any

from fastapi import APIRouter

from overpaint.api.deps import LinksDep, ServiceDep
from overpaint.api.dialects.atlas.convert import FAMILY
from overpaint.api.dialects.atlas.schemas import Category, GenerateInput, ModelCard, ModelList
from overpaint.api.json_body import inlined_schema
from overpaint.api.models import vendor_name
from overpaint.api.public_url import Links
from overpaint.service.catalogue import Catalogue

ROOT = "/api/v1/models"
SCHEMA = "/schema.json"
router = APIRouter(prefix=ROOT, tags=["atlas"])


@router.get("", operation_id="atlas_models")
async def list_models(service: ServiceDep, links: LinksDep) -> ModelList:
    """All models, AtlasCloud's names first."""
    catalogue = service.catalogue
    names = [name for name in catalogue.names() if name.startswith(FAMILY)]
    return ModelList(data=[_card(catalogue, name, links) for name in (*names, *(e.id for e in catalogue.models()))])


@router.get(SCHEMA, operation_id="atlas_schema")
async def schema() -> dict[str, Any]:
    """The input of every model, as an OpenAPI document with the schema `Input`."""
    described = inlined_schema(GenerateInput)
    fields = {name: _plain(field) for name, field in described["properties"].items()}
    whole = {"title": "Input", "type": "object", "required": ["prompt"], "properties": fields}
    return {
        "openapi": "3.0.2",
        "info": {"title": "Input", "version": "1"},
        "paths": {},
        "components": {"schemas": {"Input": whole}},
    }


def _card(catalogue: Catalogue, name: str, links: Links) -> ModelCard:
    pictures = catalogue.find(name).pictures
    kinds: list[Category] = ["text-to-image"] if pictures.min_count == 0 else []
    if pictures.max_count:
        kinds.append("image-to-image")
    called = vendor_name(name, FAMILY)
    return ModelCard(
        uuid=called, model=called, displayName=called, categories=kinds, schema_url=links.route(f"{ROOT}{SCHEMA}")
    )


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    """A field without "or null": the programs make a form of it, and read one type only."""
    kinds = [kind for kind in field.get("anyOf", []) if kind.get("type") != "null"]
    return {key: value for key, value in field.items() if key not in ("anyOf", "default")} | (kinds[0] if kinds else {})

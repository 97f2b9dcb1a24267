"""What a service has from outside itself: pictures by URL, receivers of webhooks, adapters, words, a judge of safety.

Made from the settings; each part is one library or one address that is asked.
"""

from overpaint.api.dialects import DIALECTS
from overpaint.api.native import NATIVE
from overpaint.api.public_url import Links
from overpaint.core.errors import ConfigError
from overpaint.core.ports import TextWriter
from overpaint.images.fetch import FetchLimits, FileKind, PictureFetcher
from overpaint.images.fetch_rules import AddressRules
from overpaint.images.limits import MIB
from overpaint.lora.cache import AdapterCache
from overpaint.lora.folder import AdapterFolder
from overpaint.lora.header import looks_like_safetensors
from overpaint.service.adapters import AdapterSources
from overpaint.service.build import Outside, Policies
from overpaint.service.clock import SystemClock
from overpaint.service.enhance import ChatEnhancer, Enhancer, ModelEnhancer, RuleEnhancer
from overpaint.service.links import FileLinks
from overpaint.service.opennsfw import OpenNsfwChecker
from overpaint.service.outgoing import HttpSender
from overpaint.service.prompt_rules import read_prompt_rules
from overpaint.service.safety import Safety
from overpaint.service.webhooks import WebhookFormat
from overpaint.settings import ServerSettings
from overpaint.store.opening import Stores

ADAPTER_FETCH_S = 300.0


def outside_of(
    settings: ServerSettings, stores: Stores, link_base: str, policies: Policies, writer: TextWriter
) -> Outside:
    """All of it.

    Args:
        settings: of the server.
        stores: where webhooks are due.
        link_base: what links in webhooks begin with.
        policies: of the service, which links in webhooks follow as all others do.
        writer: the engine, for the enhancer that is its checkpoint.

    Raises:
        ConfigError: `allowed_hosts` or `enhancer_url` cannot be used.
    """
    rules = _address_rules(settings)
    links = FileLinks(policies.link_secret, SystemClock(), policies.link_lifetime_s)
    return Outside(
        fetcher=PictureFetcher(rules, FetchLimits(max_bytes=settings.max_picture_mib * MIB)),
        poster=HttpSender(rules),
        formats=_webhook_formats(link_base, links),
        webhooks=stores.webhooks,
        enhancer=_enhancer(settings, writer),
        adapters=_adapters(settings, rules),
    )


def _adapters(settings: ServerSettings, rules: AddressRules) -> AdapterSources:
    """Adapters are larger than pictures, and their servers slower."""
    limits = FetchLimits(max_bytes=settings.max_adapter_mib * MIB, total_s=ADAPTER_FETCH_S)
    fetcher = PictureFetcher(rules, limits, kind=SAFETENSORS) if settings.adapter_urls else None
    cache = AdapterCache(settings.data_dir / "adapters", settings.adapter_cache_mib * MIB)
    return AdapterSources(AdapterFolder(settings.adapters), cache, fetcher)


def _broken_safetensors(data: bytes) -> str | None:
    return None if looks_like_safetensors(data) else "is not a safetensors file, the only kind that is taken"


SAFETENSORS = FileKind("application/octet-stream", _broken_safetensors)


def _webhook_formats(base: str, files: FileLinks) -> dict[str, WebhookFormat]:
    """What the webhooks of all dialects look like; their links begin with `base`."""
    rows = (NATIVE, *DIALECTS)
    return {row.name: row.webhooks(Links(base, row.prefix, files)) for row in rows if row.webhooks is not None}


def _enhancer(settings: ServerSettings, writer: TextWriter) -> Enhancer:
    if settings.enhancer_url is None:
        return ModelEnhancer(writer) if settings.enhancer == "model" else RuleEnhancer()
    if not settings.enhancer_url.startswith(("http://", "https://")):
        raise ConfigError(f"enhancer_url: {settings.enhancer_url!r} must be like http://localhost:11434/v1")
    return ChatEnhancer(settings.enhancer_url, settings.enhancer_model, HttpSender(None))


def safety_of(settings: ServerSettings) -> Safety:
    """What is looked for in words and in pictures, and by whom.

    Raises:
        ConfigError: `prompt_rules` cannot be used.
    """
    rules = read_prompt_rules(settings.prompt_rules) if settings.prompt_rules else ()
    return Safety(settings.safety, OpenNsfwChecker() if settings.safety != "off" else None, rules)


def _address_rules(settings: ServerSettings) -> AddressRules:
    allowed = tuple(entry.strip() for entry in settings.allowed_hosts.split(",") if entry.strip())
    try:
        return AddressRules(allowed)
    except ValueError as exc:
        raise ConfigError(f"allowed_hosts: {settings.allowed_hosts!r} cannot be used ({exc})") from exc

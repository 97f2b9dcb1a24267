"""Where a server listens, and under which names: what the settings say of it, checked. Opens no socket."""

from overpaint.api.config import ApiConfig
from overpaint.api.dialects import DIALECTS
from overpaint.api.self_signed import self_signed
from overpaint.api.server import Listen
from overpaint.api.tunnel import host_names
from overpaint.compose.data_dir import kept_in, make_data_dir
from overpaint.core.errors import ConfigError
from overpaint.images.limits import MIB
from overpaint.settings import ServerSettings


def listen_of(settings: ServerSettings) -> Listen:
    """Address and certificate.

    Raises:
        ConfigError: a setting cannot be used, or not beside another.
    """
    certificate, key = settings.tls_cert, settings.tls_key
    if (certificate is None) != (key is None):
        raise ConfigError("tls_cert and tls_key: one is nothing without the other")
    if settings.tls_self_signed and certificate is None:
        hosts = () if settings.proxy_port is None else sorted(vendor_hosts())
        make_data_dir(settings.data_dir)
        with kept_in(settings.data_dir):
            certificate, key = self_signed(settings.data_dir, (settings.host, *hosts))
    if settings.proxy_port is not None and certificate is None:
        raise ConfigError("proxy_port: clients talk TLS through a proxy; give tls_cert and tls_key, or tls_self_signed")
    if settings.proxy_port is not None and settings.open_page:
        raise ConfigError("open_page: whoever comes through the proxy (proxy_port) looks like this very machine")
    for name, path in (("tls_cert", certificate), ("tls_key", key)):
        if path is not None and not path.is_file():
            raise ConfigError(f"{name}: '{path}' is not there")
    return Listen(settings.host, settings.port, certificate, key)


def api_config_of(settings: ServerSettings, listen: Listen) -> ApiConfig:
    """What the application goes by."""
    return ApiConfig(
        public_url=settings.public_url,
        fallback_url=listen.outer_url,
        sync_timeout_s=settings.sync_timeout_s,
        max_body_bytes=2 * settings.max_picture_mib * MIB,
        max_upload_bytes=settings.max_picture_mib * MIB,
    )


def vendor_hosts() -> frozenset[str]:
    """Host names that are written into vendors' clients."""
    return host_names([entry for row in DIALECTS for entry in row.hosts])

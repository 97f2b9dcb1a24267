"""Wires a `Service` from ports and policies. The only place where its parts meet; names no adapter of ours."""

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from overpaint.core.store_ports import WebhookStore
from overpaint.images.limits import PictureLimits
from overpaint.service.adapters import NO_ADAPTERS, AdapterDesk, AdapterSources
from overpaint.service.catalogue import Catalogue
from overpaint.service.clock import ServiceClock, SystemClock
from overpaint.service.dispatch import Dispatcher, DispatchPolicy
from overpaint.service.enhance import Enhancer
from overpaint.service.files import Files
from overpaint.service.finish import Finisher
from overpaint.service.joining import Joiner
from overpaint.service.keys import Keys
from overpaint.service.limits import Limits
from overpaint.service.links import FileLinks
from overpaint.service.parts import Parts
from overpaint.service.pictures import PictureDesk, UrlFetcher
from overpaint.service.safety import Safety
from overpaint.service.service import Service, ServicePorts
from overpaint.service.submit import SubmitParts, Submitter
from overpaint.service.sweep import Retention, Sweeper
from overpaint.service.tasks import Tasks
from overpaint.service.upload_room import UploadRoom
from overpaint.service.uploads import Uploads
from overpaint.service.watch import Listener, WatchTower
from overpaint.service.webhooks import HttpPoster, WebhookFormat, WebhookPolicy, Webhooks
from overpaint.service.work import Worker


@dataclass(frozen=True, slots=True)
class Outside:
    """How the service reaches out of the house, and how it is spoken to there.

    Args:
        fetcher: pictures by URL.
        poster: webhooks.
        formats: what webhooks look like, by dialect; must have ``"native"``.
        webhooks: deliveries that are due.
        enhancer: enriches prompts; None never does.
        adapters: where adapters may come from.
    """

    fetcher: UrlFetcher
    poster: HttpPoster
    formats: Mapping[str, WebhookFormat]
    webhooks: WebhookStore
    enhancer: Enhancer | None = None
    adapters: AdapterSources = NO_ADAPTERS


@dataclass(frozen=True, slots=True)
class Policies:
    """Everything about the service that an operator may set.

    Args:
        link_secret: signs file links; at least 16 bytes, kept over restarts.
        capacity: tasks at the engine at once.
        max_attempts: engine failures after which a task fails.
        lease_s: after this long without a sign of life, others take a worker's tasks.
        preview_every: steps between previews; 0 is none.
        link_lifetime_s: how long a file link works.
        join_window_s: how long the answer to a client that went away is kept for its retry.
        pictures: bounds on any picture.
        max_upload_mib: that a key without a limit of its own may have uploaded at once; None is no limit.
        retention: how long things stay.
        webhooks: when to try again.
    """

    link_secret: bytes = field(repr=False)
    capacity: int = 16
    max_attempts: int = 3
    lease_s: float = 20.0
    preview_every: int = 5
    link_lifetime_s: int = 7 * 24 * 3600
    join_window_s: float = 60.0
    pictures: PictureLimits = field(default_factory=PictureLimits)
    max_upload_mib: int | None = None
    retention: Retention = field(default_factory=Retention)
    webhooks: WebhookPolicy = field(default_factory=WebhookPolicy)


def build_service(
    ports: ServicePorts,
    outside: Outside,
    catalogue: Catalogue,
    policies: Policies,
    safety: Safety | None = None,
    clock: ServiceClock | None = None,
    listener: Listener | None = None,
) -> Service:
    """Wire a service; nothing runs until `Service.start`.

    Args:
        ports: what it stands on.
        outside: how it reaches out of the house.
        catalogue: what can be asked of which model.
        policies: what the operator sets.
        safety: what may be asked and shown; None checks nothing.
        clock: tells the time; None is the machine's.
        listener: hears everything that happens to tasks, for metrics.
    """
    clock, safety = clock or SystemClock(), safety or Safety()
    tower = WatchTower(listener)
    keys = Keys(ports.accounts, clock)
    limits = Limits(ports.accounts, clock)
    links = FileLinks(policies.link_secret, clock, policies.link_lifetime_s)
    intake = UploadRoom(ports.outputs, keys.by_id, policies.max_upload_mib)
    files = Files(ports.outputs, policies.pictures, intake)
    linears = lambda: ports.engine.info.linears  # noqa: E731
    adapters = AdapterDesk(outside.adapters, ports.outputs, links, linears, clock)
    desk = PictureDesk(ports.outputs, ports.tasks, links, outside.fetcher, policies.pictures)
    webhooks = Webhooks(outside.webhooks, ports.tasks, keys, outside.formats, outside.poster, clock, policies.webhooks)
    finisher = Finisher(ports.tasks, ports.outputs, safety, clock)
    dispatcher = _dispatcher(ports, policies, _Needs(desk, adapters, finisher, tower, webhooks, clock))
    parts = SubmitParts(
        tasks=ports.tasks,
        catalogue=catalogue,
        limits=limits,
        desk=desk,
        adapters=adapters,
        safety=safety,
        enhancer=outside.enhancer,
        joiner=Joiner(clock, policies.join_window_s),
        tower=tower,
        size_rules=lambda: ports.engine.info.sizes,
        wake=dispatcher.wake,
    )
    return Service(
        ports=ports,
        keys=keys,
        limits=limits,
        catalogue=catalogue,
        submit=Submitter(parts),
        tasks=Tasks(ports.tasks, ports.outputs, tower, dispatcher.drop, webhooks.note_end, clock),
        adapters=adapters,
        files=files,
        uploads=Uploads(files, ports.outputs, clock, policies.retention.uploads),
        parts=Parts(files, intake, ports.outputs, policies.pictures.max_bytes),
        links=links,
        webhooks=webhooks,
        dispatcher=dispatcher,
        sweeper=Sweeper(ports.tasks, ports.outputs, clock, policies.retention),
    )


@dataclass(frozen=True, slots=True)
class _Needs:
    """What dispatching needs of the other parts."""

    desk: PictureDesk
    adapters: AdapterDesk
    finisher: Finisher
    tower: WatchTower
    webhooks: Webhooks
    clock: ServiceClock


def _dispatcher(ports: ServicePorts, policies: Policies, work: _Needs) -> Dispatcher:
    worker = Worker(
        ports.engine,
        work.desk,
        work.adapters,
        work.finisher,
        work.tower,
        policies.max_attempts,
        policies.preview_every,
        policies.capacity,
    )
    policy = DispatchPolicy(
        worker=worker_name(),
        capacity=policies.capacity,
        lease_s=policies.lease_s,
        max_attempts=policies.max_attempts,
    )
    return Dispatcher(
        ports.tasks,
        worker,
        lambda: ports.engine_problem() is None,
        work.tower,
        work.webhooks.note_end,
        policy,
        work.clock.now_s,
    )


def worker_name() -> str:
    """A name that no other process bears, nor an earlier life of this one."""
    return f"{socket.gethostname()[:32]}-{os.getpid()}-{secrets.token_hex(4)}"

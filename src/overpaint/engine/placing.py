"""Where a checkpoint's weights go on a device, and what jobs then fit beside them.

The loader places by it and `doctor` tells it, both before a weight is read. What fits is decided where jobs are
admitted, by the same numbers (`sizing`, `fitting`). Torch-free.
"""

from dataclasses import dataclass, replace

from overpaint.core.config import EngineConfig
from overpaint.core.errors import SettingError
from overpaint.engine.fitting import Demand, fits, work_bytes
from overpaint.engine.job import TOKEN_AREA
from overpaint.engine.limits import Limits
from overpaint.engine.sizing import limits_within, work_share
from overpaint.model.footprint import Footprint
from overpaint.model.placement import Placement
from overpaint.model.token_bytes import TokenBytes

_GIB = 2**30
_TEXT_TOKENS = 128
_STREAMED_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Device:
    """What is known of a device before anything is loaded.

    Args:
        free_bytes: nobody has taken them.
        has_host: weights can live in other memory than its own.
    """

    free_bytes: int
    has_host: bool


@dataclass(frozen=True, slots=True)
class Fit:
    """A checkpoint on a device, placed.

    Args:
        placement: where its weights live.
        weight_bytes: on the device all the time.
        visit_bytes: and for as long as something is read or decoded.
        limits: what jobs are admitted by; no cache and no room to work when the weights alone do not fit.
        device: where.
    """

    placement: Placement
    weight_bytes: int
    visit_bytes: int
    limits: Limits
    device: Device

    @property
    def has_room(self) -> bool:
        """Whether the weights leave anything."""
        return self.limits.cache_bytes > 0

    def can(self, demand: Demand) -> bool:
        """Whether a job would be admitted."""
        return self.has_room and fits(demand, self.limits)

    def peak_bytes(self, demand: Demand) -> int:
        """Bytes on the device while a job is worked on alone."""
        return self.weight_bytes + self.visit_bytes + demand.kept_bytes(self.limits) + work_bytes(demand, self.limits)

    def max_running(self, demand: Demand) -> int:
        """How many such jobs run at the same time, none sharing anything."""
        if not self.can(demand):
            return 0
        return min(self.limits.max_running, self.limits.cache_bytes // max(1, demand.kept_bytes(self.limits)))


@dataclass(frozen=True, slots=True)
class Placer:
    """Places one checkpoint on one device.

    Args:
        footprint: of the checkpoint.
        weights: how its blocks are held, one of `core.config.WEIGHTS`.
        itemsize: of the dtype.
        device: where.
        config: of the engine.
    """

    footprint: Footprint
    weights: str
    itemsize: int
    device: Device
    config: EngineConfig

    def place(self, memory: str) -> Fit:
        """Place it.

        Args:
            memory: one of `core.config.MEMORY`. `auto` keeps everything on the device if an edit of one picture fits
                then, and on devices without memory beside their own.

        Raises:
            ConfigError: not even then do the weights fit.
        """
        fit = self.resident() if memory == "resident" else self.offloaded()
        if memory == "auto":
            resident = self.resident()
            fit = resident if resident.can(self.usual) or not self.device.has_host else fit
        if self.device.has_host and not fit.has_room:
            needs, free = ((num / _GIB) for num in (fit.weight_bytes + fit.visit_bytes, self.device.free_bytes))
            raise SettingError(
                "memory",
                f"the weights alone take {needs:.1f} GiB with {memory!r} and {self.weights!r}, and the device has "
                f"{free:.1f} GiB free; `overpaint doctor` says what would fit",
            )
        return fit

    @property
    def usual(self) -> Demand:
        """An edit of one picture at the checkpoint's own resolution."""
        return self.demand(self.footprint.resolution, num_references=1)

    def demand(self, side: int, num_references: int) -> Demand:
        """A square picture of this side from so many references."""
        reference_tokens = self.footprint.resolution**2 // TOKEN_AREA
        return Demand(_TEXT_TOKENS, reference_tokens, num_references, side**2 // TOKEN_AREA, num_branches=1)

    def resident(self) -> Fit:
        """All weights on the device."""
        return self._fit(Placement(), self.footprint.bytes_resident(self.weights, self.itemsize), 0)

    def offloaded(self) -> Fit:
        """Encoder and VAE on the host, and as few blocks as must be for the usual job, all of them if need be."""
        fits_so_far = [self._with_streamed(0)]
        for num_streamed in range(_STREAMED_AT_ONCE + 1, self.footprint.num_blocks + 1):
            if fits_so_far[-1].can(self.usual):
                break
            fits_so_far.append(self._with_streamed(num_streamed))
        return fits_so_far[-1]

    def _with_streamed(self, num_streamed: int) -> Fit:
        num_there = self.footprint.num_blocks - num_streamed + min(num_streamed, _STREAMED_AT_ONCE)
        blocks = num_there * self.footprint.bytes_of_block(self.weights, self.itemsize)
        ends = self.footprint.ends * self.itemsize
        visiting = self.footprint.bytes_visiting(self.itemsize)
        return self._fit(Placement(is_offloaded=True, num_streamed=num_streamed), blocks + ends, visiting)

    def _fit(self, placement: Placement, weight_bytes: int, visit_bytes: int) -> Fit:
        free = max(0, self.device.free_bytes - weight_bytes - visit_bytes)
        in_int8 = self.config.prefix_dtype == "int8"
        per_token = TokenBytes.of(self.footprint.params, self.itemsize, in_int8=in_int8)
        in_encoder = self.footprint.encoder_kept_per_token * self.itemsize
        limits = limits_within(free, work_share(free), per_token, in_encoder, self.config)
        if not free:
            limits = replace(limits, cache_bytes=0, work_bytes=0)
        return Fit(placement, weight_bytes, visit_bytes, limits, self.device)

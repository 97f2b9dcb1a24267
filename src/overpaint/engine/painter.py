"""The parts of a checkpoint put to use: prefixes by name, steps, previews, decoding.

Holds the tensors of what is under way and decides nothing. Every method may raise what torch raises; `Runner` maps it.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from overpaint.core import Picture
from overpaint.core.config import EngineConfig
from overpaint.core.request import AdapterFile
from overpaint.core.sizes import Size, fit_area
from overpaint.engine.acceleration import RULES, may_skip_at
from overpaint.engine.adapter_shelf import AdapterShelf
from overpaint.engine.calibration import calibrate
from overpaint.engine.inpainting import Inpainting
from overpaint.engine.job import BlockKey, Job, PrefixKey, SequenceId, SequenceSpec
from overpaint.engine.limits import Limits
from overpaint.engine.plan import StepWork
from overpaint.engine.prefixes import Prefixes
from overpaint.engine.sizing import limits_within, work_share
from overpaint.engine.stats import Calibration
from overpaint.images.resize import resize
from overpaint.model.adapter_file import load_adapter
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.compiling import compile_step
from overpaint.model.conditioner import Conditioner
from overpaint.model.device import free_bytes, give_back_host_memory, use_device, wait_for
from overpaint.model.hosting import visiting_bytes
from overpaint.model.inputs import StepInput
from overpaint.model.layout import Grid
from overpaint.model.lora import Adapter, AdapterMix
from overpaint.model.preview import PreviewMap
from overpaint.model.references import PIXELS_PER_TOKEN
from overpaint.model.sampling import base_sigmas, draw_noise, euler_step, guide
from overpaint.model.step_memo import StepMemo
from overpaint.model.transformer import PackedTransformer
from overpaint.model.vae import PictureCodec, Tiling, work_bytes_per_token


@dataclass(slots=True)
class _Painting:
    """A picture under way.

    Args:
        sigmas: one more than steps.
        noise: what it begins as, `(tokens, channels)` fp32.
        latents: what it is now.
        velocity: of the last step, `(tokens, channels)`; None before the first.
        step: steps done.
        decoding: gives the picture that is being made of the latents; None while none is.
        inpainting: what stays of a source picture, the same for all of a job; None when all is painted.
        memos: one for each guidance branch of an accelerated picture.
        adapters: what the transformer is changed by for it.
    """

    spec: SequenceSpec
    grid: Grid
    sigmas: list[float]
    noise: Tensor
    latents: Tensor
    velocity: Tensor | None = None
    step: int = 0
    decoding: Callable[[], Tensor] | None = None
    inpainting: Inpainting | None = None
    memos: dict[PrefixKey, StepMemo] = field(default_factory=dict)
    adapters: AdapterMix = ()


class Painter:
    """Tensors and weights of one device.

    Args:
        checkpoint: loaded.
        config: what memory is for, what prefixes are kept in, whether anything is compiled.

    Raises:
        ConfigError: there is no compiler for the device.
    """

    def __init__(self, checkpoint: Checkpoint, config: EngineConfig | None = None) -> None:
        config = config or EngineConfig()
        use_device(checkpoint.transformer.device)
        self._checkpoint = checkpoint
        self._transformer = PackedTransformer(
            checkpoint.transformer, blocks=checkpoint.blocks, keeps_int8=config.prefix_dtype == "int8"
        )
        if config.compile:
            compile_step(self._transformer)
        self.work_bytes = work_share(self.free_bytes())
        decodable = self.work_bytes // work_bytes_per_token(checkpoint.vae)
        # Beside a step there is half as much room: the other half of what is nobody's may be the adapters'.
        self._codec = PictureCodec(checkpoint.vae, Tiling.within(decodable), beside_tokens=decodable // 2)
        self.conditioner = Conditioner(checkpoint.text_encoder, checkpoint.tokenizer, checkpoint.image_processor)
        self.adapters = AdapterShelf(
            self._read_adapter, self._transformer.device, config.adapter_bytes or self.work_bytes // 2
        )
        self.prefixes = Prefixes(
            self.conditioner, self._codec, self._transformer, checkpoint.info.reference_area, self.adapters.mix
        )
        self._paintings: dict[SequenceId, _Painting] = {}
        give_back_host_memory()

    @property
    def bytes_per_token(self) -> int:
        """Bytes of keys and values that one token of a prefix takes."""
        return self._transformer.token_bytes.kept

    def limits(self, config: EngineConfig) -> Limits:
        """What jobs are admitted by, of the memory that is left now."""
        transformer = self._transformer
        return limits_within(
            self.free_bytes(),
            self.work_bytes,
            transformer.token_bytes,
            self.conditioner.bytes_per_token,
            config,
            gathers=transformer.gathers_prefixes,
        )

    @property
    def held(self) -> tuple[frozenset[BlockKey], frozenset[SequenceId]]:
        """Names of the blocks of prefixes and sequences whose tensors are held."""
        return self.prefixes.held_keys, frozenset(self._paintings)

    def admit(self, job: Job) -> None:
        """Take in a job's sequences; nothing is computed but the noise, and the latents of a picture under a mask."""
        first = job.sequences[0]
        inpainting = first.inpaint and Inpainting.of(*first.inpaint, first.canvas.painted, self._codec)
        self._paintings.update({spec.sequence_id: self._start(spec, inpainting) for spec in job.sequences})

    def drop(self, sequence_id: SequenceId) -> None:
        """Forget a sequence."""
        self._paintings.pop(sequence_id, None)

    @torch.inference_mode()
    def step(self, work: Sequence[StepWork], is_wanted: Callable[[], bool]) -> None:
        """Take all given sequences one step on, in one packed pass; on an error none has moved.

        Raises:
            AbandonedError: the pass is not wanted any more.
        """
        paintings = [self._paintings[item.sequence_id] for item in work]
        inputs = [
            self._step_input(p, item.step, key)
            for item, p in zip(work, paintings, strict=True)
            for key in p.spec.prefixes
        ]
        velocities = iter(self._transformer.step(inputs, is_wanted))
        moves = [_move(p, item.step, velocities) for item, p in zip(work, paintings, strict=True)]
        self.synchronize()  # what went wrong on the device is raised here, and none may have moved then
        for item, painting, (latents, velocity) in zip(work, paintings, moves, strict=True):
            painting.latents, painting.velocity, painting.step = latents, velocity, item.step + 1

    def latents(self, sequence_id: SequenceId) -> Tensor:
        """Latents of a sequence as they are now: `(tokens, channels)` fp32."""
        return self._paintings[sequence_id].latents

    def preview(self, sequence_id: SequenceId) -> Picture:
        """What a sequence is heading for, one pixel per token."""
        painting = self._paintings[sequence_id]
        assert painting.velocity is not None, sequence_id
        clean = euler_step(painting.latents, painting.velocity, painting.sigmas[painting.step], 0.0)
        return self._preview_map.paint(clean, painting.grid)

    def begin_decode(self, sequence_id: SequenceId) -> None:
        """Begin to turn a painted sequence into a picture, beside what is computed next where the device can."""
        painting = self._paintings[sequence_id]
        painting.decoding = self._codec.begin_decode(painting.latents, painting.grid)

    def decode(self, sequence_id: SequenceId) -> Picture:
        """Turn a painted sequence into a picture of the size to deliver, or wait for what was begun."""
        painting = self._paintings[sequence_id]
        decoding, painting.decoding = painting.decoding, None
        samples = decoding() if decoding else self._codec.decode(painting.latents, painting.grid)
        picture = Picture(samples.shape[1], samples.shape[0], "RGBA", samples.contiguous().numpy().tobytes())
        picture = resize(picture, painting.spec.canvas.delivered)
        return painting.inpainting.finish(picture) if painting.inpainting else picture

    def calibrate(self) -> Calibration:
        """Find out what work costs, and how many tokens are worth stepping together."""
        info = self._checkpoint.info
        grid = _grid_of(fit_area(info.sizes.default_area, 1.0))
        return calibrate(self._transformer, self.prefixes, self._codec, grid, info.reference_area, self.work_bytes)

    def free_bytes(self) -> int:
        """Memory of the device that nobody has taken, or takes for a visit of weights that live on the host."""
        visiting = visiting_bytes([self._checkpoint.text_encoder, self._checkpoint.vae])
        return max(0, free_bytes(self._transformer.device) - visiting)

    def use_device(self) -> None:
        """Have this thread mean the painter's device where it names none."""
        use_device(self._transformer.device)

    def give_back_memory(self) -> None:
        """Let go of what the allocator keeps for later, after a failure that may have been for want of memory."""
        if self._transformer.device.type == "cuda":
            torch.cuda.empty_cache()

    def synchronize(self) -> None:
        """Wait for all but what is decoded, so that time is counted where it was spent and cancels are not outrun."""
        wait_for(self._transformer.device)

    @cached_property
    def _preview_map(self) -> PreviewMap:
        return PreviewMap(self._codec, self._transformer.device)

    def _step_input(self, painting: _Painting, step: int, key: PrefixKey) -> StepInput:
        cache = self.prefixes[key]
        memo, may_skip = painting.memos.get(key), may_skip_at(step, painting.spec.num_steps)
        sigma = painting.sigmas[step]
        return StepInput(painting.latents, sigma, painting.grid, cache, memo, may_skip, painting.adapters)

    def _read_adapter(self, file: AdapterFile) -> Adapter:
        return load_adapter(Path(file.path), self._checkpoint.info.linears, self._transformer.dtype)

    def _start(self, spec: SequenceSpec, inpainting: Inpainting | None) -> _Painting:
        grid = _grid_of(spec.canvas.painted)
        info, schedule = self._checkpoint.info, self._checkpoint.schedule
        base = base_sigmas(spec.num_steps, self._checkpoint.sample_sigmas, info.default_steps)
        noise = draw_noise(spec.seed, self._codec.channels, grid).to(self._transformer.device)
        sigmas = schedule.sigmas(base, grid[0] * grid[1])
        rule = RULES[spec.acceleration]
        memos = {key: StepMemo(rule) for key in spec.prefixes} if rule else {}
        mix = self.adapters.mix(spec.adapters)
        return _Painting(spec, grid, sigmas, noise, noise, inpainting=inpainting, memos=memos, adapters=mix)


def _move(painting: _Painting, step: int, velocities: Iterator[Tensor]) -> tuple[Tensor, Tensor]:
    """A picture's latents after a step, and the velocity that took them there, of its prefixes' own."""
    velocity = next(velocities)
    if len(painting.spec.prefixes) > 1:
        velocity = guide(velocity, next(velocities), painting.spec.true_cfg_scale)
    sigma, sigma_next = painting.sigmas[step : step + 2]
    latents = euler_step(painting.latents, velocity, sigma, sigma_next)
    if painting.inpainting:
        latents = painting.inpainting.hold(latents, painting.noise, sigma_next)
    return latents, velocity


def _grid_of(size: Size) -> Grid:
    return size.height // PIXELS_PER_TOKEN, size.width // PIXELS_PER_TOKEN

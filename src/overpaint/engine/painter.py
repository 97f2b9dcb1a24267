"""The parts of a checkpoint put to use: condition, prefill, step, decode, for prefixes and sequences by name.

Holds the tensors of what is under way and decides nothing. Every method may raise what torch raises; `Runner` maps it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from overpaint.core import Picture
from overpaint.core.sizes import Size
from overpaint.engine.job import Job, PrefixKey, PrefixSpec, SequenceId, SequenceSpec
from overpaint.engine.plan import StepWork
from overpaint.images.resize import resize
from overpaint.model.checkpoint import Checkpoint
from overpaint.model.conditioner import Condition, Conditioner
from overpaint.model.layout import Grid
from overpaint.model.prefix_cache import PrefixCache
from overpaint.model.references import PIXELS_PER_TOKEN, Reference, prepare_reference
from overpaint.model.sampling import base_sigmas, draw_noise, euler_step, guide
from overpaint.model.transformer import PackedTransformer, PrefixInput, StepInput
from overpaint.model.vae import PictureCodec


@dataclass(slots=True)
class _Painting:
    """A picture under way: `latents` `(tokens, channels)` fp32, one more sigma than steps."""

    spec: SequenceSpec
    grid: Grid
    sigmas: list[float]
    latents: Tensor


class Painter:
    """Tensors and weights of one device.

    Args:
        checkpoint: loaded.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._conditioner = Conditioner(
            checkpoint.text_encoder, checkpoint.tokenizer, checkpoint.image_processor, checkpoint.info.max_prompt_tokens
        )
        self._transformer = PackedTransformer(checkpoint.transformer)
        self._codec = PictureCodec(checkpoint.vae)
        self._prefix_specs: dict[PrefixKey, PrefixSpec] = {}
        self._caches: dict[PrefixKey, PrefixCache] = {}
        self._references: dict[str, tuple[tuple[Reference, Tensor], ...]] = {}
        self._paintings: dict[SequenceId, _Painting] = {}

    @property
    def held(self) -> tuple[frozenset[PrefixKey], frozenset[SequenceId]]:
        """Names of the prefixes and sequences whose tensors are held."""
        return frozenset(self._caches), frozenset(self._paintings)

    def check_prompt(self, field: str, words: str) -> None:
        """Refuse words that are longer than the checkpoint reads.

        Raises:
            RequestError: naming `field`.
        """
        self._conditioner.check_prompt(field, words)

    def admit(self, job: Job) -> None:
        """Take in a job's prefixes and sequences; nothing is computed but the noise."""
        self._prefix_specs.update({spec.key: spec for spec in job.prefixes})
        self._paintings.update({spec.sequence_id: self._start(spec) for spec in job.sequences})

    def drop(self, sequence_id: SequenceId) -> None:
        """Forget a sequence."""
        self._paintings.pop(sequence_id, None)

    def release(self, key: PrefixKey) -> None:
        """Forget a prefix, and its task's pictures with the last one."""
        self._caches.pop(key, None)
        spec = self._prefix_specs.pop(key, None)
        if spec and all(other.task_id != spec.task_id for other in self._prefix_specs.values()):
            self._references.pop(spec.task_id, None)

    def condition(self, key: PrefixKey) -> Condition:
        """Encode a prefix's words and pictures."""
        spec = self._prefix_specs[key]
        return self._conditioner.encode(spec.words, [reference for reference, _ in self._references_of(spec)])

    def prefill(self, key: PrefixKey, condition: Condition) -> None:
        """Run the transformer over a prefix and keep its keys and values."""
        users = (painting for painting in self._paintings.values() if key in painting.spec.prefixes)
        cache = self._transformer.new_cache(condition.layout, max(len(user.latents) for user in users))
        latents = tuple(latents for _, latents in self._references_of(self._prefix_specs[key]))
        self._transformer.prefill([PrefixInput(condition.txt, latents, cache)])
        self._caches[key] = cache

    @torch.inference_mode()
    def step(self, work: Sequence[StepWork]) -> None:
        """Take all given sequences one step on, in one packed pass."""
        paintings = [self._paintings[item.sequence_id] for item in work]
        inputs = [
            StepInput(painting.latents, painting.sigmas[item.step], painting.grid, self._caches[key])
            for item, painting in zip(work, paintings, strict=True)
            for key in painting.spec.prefixes
        ]
        velocities = iter(self._transformer.step(inputs))
        for item, painting in zip(work, paintings, strict=True):
            velocity = next(velocities)
            if len(painting.spec.prefixes) > 1:
                velocity = guide(velocity, next(velocities), painting.spec.true_cfg_scale)
            sigma, sigma_next = painting.sigmas[item.step : item.step + 2]
            painting.latents = euler_step(painting.latents, velocity, sigma, sigma_next)

    def latents(self, sequence_id: SequenceId) -> Tensor:
        """Latents of a sequence as they are now: `(tokens, channels)` fp32."""
        return self._paintings[sequence_id].latents

    def decode(self, sequence_id: SequenceId) -> Picture:
        """Turn a painted sequence into a picture of the size to deliver."""
        painting = self._paintings[sequence_id]
        samples = self._codec.decode(painting.latents, painting.grid)
        picture = Picture(samples.shape[1], samples.shape[0], "RGBA", samples.contiguous().numpy().tobytes())
        return resize(picture, painting.spec.canvas.delivered)

    def synchronize(self) -> None:
        """Wait for the device, so that time is counted where it was spent and cancels are not outrun."""
        if self._transformer.device.type == "cuda":
            torch.cuda.synchronize(self._transformer.device)

    def _start(self, spec: SequenceSpec) -> _Painting:
        grid = _grid_of(spec.canvas.painted)
        info, schedule = self._checkpoint.info, self._checkpoint.schedule
        base = base_sigmas(spec.num_steps, self._checkpoint.sample_sigmas, info.default_steps)
        noise = draw_noise(spec.seed, self._codec.channels, grid).to(self._transformer.device)
        return _Painting(spec, grid, schedule.sigmas(base, grid[0] * grid[1]), noise)

    def _references_of(self, spec: PrefixSpec) -> tuple[tuple[Reference, Tensor], ...]:
        """The task's pictures, resized and encoded once for all its prefixes."""
        if spec.task_id not in self._references:
            area = self._checkpoint.info.reference_area
            references = [prepare_reference(picture, area) for picture in spec.pictures]
            self._references[spec.task_id] = tuple((ref, self._codec.encode(ref.for_vae())) for ref in references)
        return self._references[spec.task_id]


def _grid_of(size: Size) -> Grid:
    return size.height // PIXELS_PER_TOKEN, size.width // PIXELS_PER_TOKEN

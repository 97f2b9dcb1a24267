"""What is measured, one method a question. Each gives plain figures; `targets` says what they are held to."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.offline.floor import StepShape, shape_of
from benchmarks.offline.full_size.painters import Diffusers, Ours, Painter
from benchmarks.offline.full_size.scale import Inputs, Scale, Work
from benchmarks.offline.full_size.timing import in_turn, peak_gib, peak_tflops, timed
from overpaint.core import ConfigError, OverpaintError
from overpaint.core.config import WEIGHTS, EngineConfig
from overpaint.engine.placing import Device, Placer
from overpaint.model.attention_adapters import PLAN_QUERIES, SequenceAttention, choose_attention
from overpaint.model.blocks import BlockPlan
from overpaint.model.footprint import Footprint
from overpaint.model.quantise import weight_quantiser
from overpaint.model.references import PIXELS_PER_TOKEN
from overpaint.model.transformer import PackedTransformer
from overpaint.model.vae import PictureCodec

_GIB = 2**30
_NO_ENCODER = {"text_config": {"num_hidden_layers": 0, "num_key_value_heads": 0, "head_dim": 0}}
_BACKENDS = {"flash": SDPBackend.FLASH_ATTENTION, "cudnn": SDPBackend.CUDNN_ATTENTION}


@dataclass
class Bench:
    """The questions.

    Args:
        scale: how large.
        device: where.
        rounds: how often each side is measured.
        memory: how the small cards are placed, one of `core.config.MEMORY`.
        weights: how their blocks are held, each in turn.
        dtype: what is computed in.
        plan_queries: targets of so many tokens may be attended to by a kernel that needs a plan for its shape.
    """

    scale: Scale
    device: torch.device
    rounds: int
    memory: str = "auto"
    weights: tuple[str, ...] = WEIGHTS
    dtype: torch.dtype = torch.bfloat16
    plan_queries: int = PLAN_QUERIES

    def __post_init__(self) -> None:
        self._build()
        large = self.scale.grid[0] * self.scale.grid[1]
        self._codec = PictureCodec(self.scale.build_vae(self.device, self.dtype), beside_tokens=large)
        self._peak: float | None = None

    def _build(self) -> None:
        """Weights as they were drawn. Fusing moves them, and changes where they lie, not what they are."""
        torch.manual_seed(0)
        self._model: Any = self.scale.build_transformer(self.device, self.dtype)
        attention = choose_attention(self.device, self.dtype, self.plan_queries)
        self._transformer = PackedTransformer(self._model, attention)

    @property
    def cases(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """All of them by name; the last one takes the model off the device, so nothing may come after it."""
        return {
            "generation": lambda: self._single(()),
            "edit": lambda: self._single((self.scale.grid,)),
            "batch": self._batch,
            "prefix": self._prefix,
            "attention": self._attention,
            "decode": self._decode,
            "fp8": self._fp8,
            "cards": self._cards,
        }

    def _single(self, references: tuple[tuple[int, int], ...]) -> dict[str, Any]:
        """One large picture: diffusers, ours, ours compiled; with decoding, and as a share of the device's peak."""
        work = Work(self.scale.grid, references)
        inputs, steps = Inputs.draw(work, self._model), self.scale.steps
        sides: dict[str, Painter] = {"diffusers": Diffusers(self._model), "ours": Ours(self._transformer)}
        try:
            sides["compiled"] = Ours(self._transformer, compiles=True)
        except ConfigError as error:
            print(f"without the compiled side: {error}", flush=True)
        paints = {name: partial(side.paint, work, inputs, steps) for name, side in sides.items()}
        seconds = in_turn(dict(paints), self.rounds, self.device)
        decode_s = self._decode_s(work, inputs)
        last = {name: paint() for name, paint in paints.items()}
        tflops = {name: self._flops(work, steps) / value / 1e12 for name, value in seconds.items()}
        return {
            "denoise_s": seconds,
            "decode_s": decode_s,
            "total_s": {name: value + decode_s for name, value in seconds.items()},
            "ratio": seconds["diffusers"] / min(seconds["ours"], seconds.get("compiled", inf)),
            "share_of_peak": {name: value / self._measured_peak for name, value in tflops.items()},
            "peak_tflops": self._measured_peak,
            "peak_gib": {name: peak_gib(paint, self.device) for name, paint in paints.items()},
            "difference_to_diffusers": {name: _difference(last[name], last["diffusers"]) for name in last},
        }

    def _batch(self) -> dict[str, Any]:
        """Small pictures together, with the attention that the device takes for packs and sequence by sequence.

        The gain of the largest pack is also what `reproducible` terms cost there: who has them steps alone.
        """
        work, steps = Work(self.scale.small_grid), self.scale.few_steps
        by_one = PackedTransformer(self._model, SequenceAttention())
        sides = {"packed": Ours(self._transformer), "sequence by sequence": Ours(by_one)}
        cache = sides["packed"].prefill(work, Inputs.draw(work, self._model))
        found: dict[str, Any] = {}
        for count in self.scale.batches:
            noises = [Inputs.draw(work, self._model).noise for _ in range(count)]
            calls = {name: partial(side.paint_on, cache, work, noises, steps) for name, side in sides.items()}
            seconds = in_turn(dict(calls), self.rounds, self.device)
            found[str(count)] = {name: count / value for name, value in seconds.items()}
        first, last = (found[str(count)]["packed"] for count in (self.scale.batches[0], self.scale.batches[-1]))
        return {"steps": steps, "pictures_per_s": found, "gain": last / first}

    def _prefix(self) -> dict[str, Any]:
        """Few-step edits on a prefix that stands, and on one that is built first; encoder and VAE in neither."""
        ours, steps = Ours(self._transformer), self.scale.few_steps
        found: dict[str, Any] = {}
        for count in self.scale.references:
            work = Work(self.scale.grid, (self.scale.grid,) * count)
            inputs = Inputs.draw(work, self._model)
            cache = ours.prefill(work, inputs)
            calls: dict[str, Callable[[], object]] = {
                "cold": partial(ours.paint, work, inputs, steps),
                "warm": partial(ours.paint_on, cache, work, [inputs.noise], steps),
            }
            seconds = in_turn(calls, self.rounds, self.device)
            found[str(count)] = {**seconds, "gain": seconds["cold"] / seconds["warm"], "gib": cache.num_bytes / _GIB}
        return found

    def _attention(self) -> dict[str, Any]:
        """One layer's attention of the large picture on one reference, by the kernels that torch has."""
        config = self._model.config
        tokens = self.scale.grid[0] * self.scale.grid[1]
        shape = (1, config.num_attention_heads, tokens, config.attention_head_dim)
        query = torch.randn(shape, device=self.device, dtype=self.dtype)
        rows = torch.randn((*shape[:2], 2 * tokens, shape[3]), device=self.device, dtype=self.dtype)
        found: dict[str, Any] = {"chosen for packs": type(choose_attention(self.device, self.dtype)).__name__}
        contexts: dict[str, Callable[[], AbstractContextManager[Any]]] = {"torch's choice": nullcontext}
        contexts |= {name: partial(sdpa_kernel, backend) for name, backend in _BACKENDS.items()}
        flops = 4 * tokens * 2 * tokens * shape[1] * shape[3]
        for index, (name, context) in enumerate(contexts.items(), 1):
            try:
                with context():
                    call = partial(F.scaled_dot_product_attention, query, rows, rows)
                    seconds = median([timed(call, self.device) for _ in range(20)][5:])
                    fewer = rows[:, :, index:]
                    first = timed(partial(F.scaled_dot_product_attention, query, fewer, fewer), self.device)
                # What a number of keys costs that was not seen before is a plan for it, where a kernel needs one.
                found[name] = {"ms": 1000 * seconds, "tflops": flops / seconds / 1e12, "new_length_ms": 1000 * first}
            except RuntimeError as error:
                found[name] = _first_line(error)
        return found

    def _decode(self) -> dict[str, Any]:
        """A large picture decoded while another takes a step: after the step, and beside it."""
        work, ours = Work(self.scale.grid), Ours(self._transformer)
        inputs = Inputs.draw(work, self._model)
        cache = ours.prefill(work, inputs)
        step = partial(ours.paint_on, cache, work, [inputs.noise], 1)

        def after() -> None:
            step()
            self._codec.decode(inputs.noise, work.target)

        def beside() -> None:
            picture = self._codec.begin_decode(inputs.noise, work.target)
            step()
            picture()

        seconds = in_turn({"after": after, "beside": beside, "step alone": step}, 3 * self.rounds, self.device)
        return {**seconds, "gain": seconds["after"] / seconds["beside"]}

    def _fp8(self) -> dict[str, Any]:
        """The large picture with matrices in float8."""
        work = Work(self.scale.grid)
        inputs = Inputs.draw(work, self._model)
        exact = Ours(self._transformer).paint(work, inputs, self.scale.steps)
        quantise = weight_quantiser("fp8", self.device, self.dtype)
        side = Ours(PackedTransformer(self._model, blocks=BlockPlan(quantise=quantise)))
        self._build()  # the next shall find them as they were
        paint = partial(side.paint, work, inputs, self.scale.steps)
        seconds = in_turn({"fp8": paint}, self.rounds, self.device)["fp8"]
        decode_s = self._decode_s(work, inputs)
        return {
            "denoise_s": seconds,
            "total_s": seconds + decode_s,
            "peak_gib": peak_gib(paint, self.device),
            "difference_to_bf16": _difference(paint(), exact),
        }

    def _cards(self) -> dict[str, Any]:
        """An edit of one reference under the memory of smaller cards, placed as the engine places a checkpoint."""
        work = Work(self.scale.grid, (self.scale.grid,))
        inputs = Inputs.draw(work, self._model)
        footprint = self._footprint()
        del self._transformer
        on_host = self._model.to("cpu")
        found: dict[str, Any] = {}
        for gib in self.scale.card_gib:
            device = Device(int(gib * _GIB), has_host=True)
            found[f"{gib:g}"] = {
                weights: self._card(
                    deepcopy(on_host), Placer(footprint, weights, 2, device, EngineConfig()), work, inputs
                )
                for weights in self.weights
            }
        return found

    def _footprint(self) -> Footprint:
        """Of the transformer and the VAE that are measured; there is no encoder here."""
        parts = {"transformer": self._model, "text_encoder": torch.nn.Module(), "vae": self._codec._vae}
        shapes = {name: {key: tuple(p.shape) for key, p in part.named_parameters()} for name, part in parts.items()}
        index = {"output_resolution": self.scale.grid[0] * PIXELS_PER_TOKEN}
        return Footprint.of(index, {"transformer": self._model.config, "text_encoder": _NO_ENCODER}, shapes)

    def _card(self, model: Any, placer: Placer, work: Work, inputs: Inputs) -> dict[str, Any]:
        """One card and one way to hold the blocks; predicted beside measured. One that fails costs only itself."""
        found: dict[str, Any] = {}
        try:
            fit = placer.place(self.memory)
            found |= {
                "blocks_streamed": fit.placement.num_streamed,
                "predicted_gib": fit.peak_bytes(placer.usual) / _GIB,
                "fits": fit.can(placer.usual),
            }
            quantise = weight_quantiser(placer.weights, self.device, self.dtype)
            for name, child in model.named_children():
                if name != "transformer_blocks":
                    child.to(self.device)
            with self._share_of_memory(placer.device.free_bytes):
                ours = Ours(PackedTransformer(model, blocks=BlockPlan(quantise, fit.placement.num_streamed)))
                paint = partial(ours.paint, work, inputs, self.scale.few_steps)
                return {**found, "peak_gib": peak_gib(paint, self.device), "few_steps_s": timed(paint, self.device)}
        except (OverpaintError, RuntimeError) as error:
            return {**found, "failed": _first_line(error)}

    @contextmanager
    def _share_of_memory(self, num_bytes: int) -> Generator[None]:
        """Have the device give no more than so many bytes for the length of a block."""
        if self.device.type != "cuda":
            yield
            return
        torch.cuda.empty_cache()
        total = torch.cuda.mem_get_info(self.device)[1]
        torch.cuda.set_per_process_memory_fraction(num_bytes / total, self.device)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0, self.device)

    def _decode_s(self, work: Work, inputs: Inputs) -> float:
        decode = partial(self._codec.decode, inputs.noise, work.target)
        return median([timed(decode, self.device) for _ in range(5)][2:])

    @property
    def _measured_peak(self) -> float:
        self._peak = self._peak or peak_tflops(self.scale.peak_side, self.device, self.dtype)
        return self._peak

    def _flops(self, work: Work, steps: int) -> float:
        """Products of all steps and of the prefix, whose attention is counted as if all of it saw all of it."""
        shape: StepShape = shape_of(self._model, work.num_tokens, work.layout.num_tokens)
        return steps * shape.flops + replace(shape, tokens=shape.prefix_tokens, prefix_tokens=0).flops


def _difference(one: Tensor, other: Tensor) -> float:
    """Mean absolute difference, relative to the mean size."""
    return float((one - other).abs().mean() / other.abs().mean())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]

"""Our forward of the Qwen-Image-2.1 transformer: packed, per-sequence sigma, prefix apart from target.

Works over diffusers' `QwenImage21Transformer2DModel` as the holder of the weights and never calls its forward.
Several sequences lie one after the other in flat `(tokens, channels)` tensors without padding. `prefill` runs the
tokens that do not depend on the step (text and references, modulated at t = 0) once and keeps their keys and values;
`step` runs only the targets' tokens. Knows no requests, seeds or schedules.

Source: `QwenImage21Transformer2DModel` of diffusers 0.42.1, transformer_qwenimage21.py.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import torch
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21Transformer2DModel
from torch import Tensor

from overpaint.model.attention import Attention, attend_prefix, segment_masks
from overpaint.model.attention_adapters import VarlenAttention, choose_attention
from overpaint.model.blocks import AS_THEY_ARE, BlockPlan, prepare_blocks
from overpaint.model.inputs import PrefixInput, StepInput
from overpaint.model.layout import PrefixLayout
from overpaint.model.lora import RowChanges
from overpaint.model.modulation import Modulation, Modulator
from overpaint.model.params import TransformerParams
from overpaint.model.pointwise import Pointwise
from overpaint.model.prefix_cache import PrefixBlock, PrefixCache
from overpaint.model.projections import BlockProjections, EndProjections
from overpaint.model.rope import RopeSpec, RopeTables, pack_tables
from overpaint.model.step_memo import find_skipping
from overpaint.model.token_bytes import TokenBytes


class AbandonedError(Exception):
    """Nobody wants what is being computed any more."""


def _always() -> bool:
    return True


class PackedTransformer:
    """The packed forward.

    Args:
        module: diffusers' transformer, on its device, in its dtype. Its linears may be wrapped or quantised; fuse
            again (make a new `PackedTransformer`) after wrapping them.
        attention: how to attend; None takes what its device does fastest.
        blocks: how its blocks are to be held; they are brought to the device here.
        keeps_int8: whether keys and values of prefixes are kept in 8 bits.

    Attributes:
        device: where the weights live.
        dtype: what the activations are computed in.
        token_bytes: what one token takes.
        pointwise: what it does between products; `compiling` puts another in its place.

    Raises:
        ValueError: the checkpoint does not modulate its prefix at t = 0, so there is no prefix to keep.
    """

    def __init__(
        self,
        module: QwenImage21Transformer2DModel,
        attention: Attention | None = None,
        blocks: BlockPlan = AS_THEY_ARE,
        *,
        keeps_int8: bool = False,
    ) -> None:
        params = TransformerParams.from_config(module.config)
        if not params.causal_condition:
            raise ValueError("causal_condition must be true: a prefix that depends on the step cannot be kept")
        self._module = module
        self._blocks = prepare_blocks(module, blocks)
        # Diffusers looks through all modules to answer these: 0.2 ms each time.
        self.device, self.dtype = module.device, module.dtype
        self._ends = EndProjections(module)
        self._modulator = Modulator(module)
        self._params = params
        self._keeps_int8 = keeps_int8
        self.token_bytes = TokenBytes.of(params, self.dtype.itemsize, in_int8=keeps_int8)
        self._attention = attention or choose_attention(self.device, self.dtype)
        self.pointwise = Pointwise()
        self._rope = RopeTables(RopeSpec(params.axes_dims_rope), self.device)

    @property
    def context_channels(self) -> int:
        """Width of the encoder's hidden states."""
        return self._module.config["context_in_dim"]

    @property
    def latent_channels(self) -> int:
        """Width of the latents."""
        return self._module.config["in_channels"]

    @property
    def gathers_prefixes(self) -> bool:
        """Whether a layer reads the prefixes of a whole pack at once, not one after the other."""
        return isinstance(self._attention, VarlenAttention)

    def new_cache(self, layout: PrefixLayout, known: Sequence[PrefixBlock] = ()) -> PrefixCache:
        """A cache for a prefix, to be filled behind the blocks that are known from another one."""
        spans = list(pairwise([0, *layout.block_ends]))[len(known) :]
        return PrefixCache(layout, [*known, *(self._new_block(start, end) for start, end in spans)])

    @torch.inference_mode()
    def prefill(self, inputs: Sequence[PrefixInput], is_wanted: Callable[[], bool] = _always) -> None:
        """Run prefixes, or parts of them, and store their keys and values in their caches.

        Args:
            inputs: what to run.
            is_wanted: asked before every block.

        Raises:
            AbandonedError: it is not wanted any more; the caches are filled in part.
        """
        with self.pointwise.during():
            self._prefill(inputs, is_wanted)

    def _prefill(self, inputs: Sequence[PrefixInput], is_wanted: Callable[[], bool]) -> None:
        lengths, mixes = [item.num_tokens for item in inputs], [item.adapters for item in inputs]
        changes = RowChanges.of(mixes, lengths)
        hidden = torch.cat([self._embed_prefix(item) for item in inputs])
        table = pack_tables([self._rope.of_prefix(item.segments) for item in inputs])
        masks = [segment_masks(item.segments, self.device) for item in inputs]
        spans = list(pairwise(accumulate(lengths, initial=0)))
        if changes:
            modulation = self._modulator([0.0] * len(inputs), lengths, RowChanges.of(mixes))
        else:
            modulation = self._modulator([0.0], None)  # one row, which all tokens share
        last = len(self._blocks) - 1
        for layer, block in enumerate(self._blocks):
            _check(is_wanted)
            query, key, value = self._project(block, self._norm(hidden, modulation.scale_attn), table, changes)
            for item, (start, end) in zip(inputs, spans, strict=True):
                item.cache.store(layer, item.segments[0].start, key[start:end], value[start:end])
            if layer == last:
                return  # only its keys and values are ever read
            attended: list[Tensor] = []
            for item, mask, (start, end) in zip(inputs, masks, spans, strict=True):
                keys, values = item.cache.join(layer, item.segments[0].start, key[start:end], value[start:end])
                attended.append(attend_prefix(self._attention, query[start:end], keys, values, item.segments, mask))
            hidden = self._finish_block(block, hidden, torch.cat(attended), modulation, changes)

    @torch.inference_mode()
    def step(self, inputs: Sequence[StepInput], is_wanted: Callable[[], bool] = _always) -> list[Tensor]:
        """Predict the velocity of every sequence.

        Args:
            inputs: the pack.
            is_wanted: asked before every block.

        Returns:
            One `(height * width, channels)` tensor in the model's dtype per input.

        Raises:
            AbandonedError: it is not wanted any more.
        """
        with self.pointwise.during():
            return self._step(inputs, is_wanted)

    def _step(self, inputs: Sequence[StepInput], is_wanted: Callable[[], bool]) -> list[Tensor]:
        lengths = [item.num_tokens for item in inputs]
        latents = torch.cat([item.latents for item in inputs]) if len(inputs) > 1 else inputs[0].latents
        changes = _changes_of(inputs)
        modulation = self._modulate(inputs)
        hidden = self._ends.img_in(latents.to(self.dtype), changes)
        if any(item.memo for item in inputs):
            hidden = self._run_with_memos(inputs, hidden, modulation, is_wanted)
        else:
            hidden = self._run_blocks(inputs, hidden, modulation, range(len(self._blocks)), is_wanted)
        velocity = self._ends.proj_out(self._norm(hidden, modulation.scale_out), changes)
        return list(velocity.split(lengths))

    def _run_blocks(
        self,
        inputs: Sequence[StepInput],
        hidden: Tensor,
        modulation: Modulation,
        layers: range,
        is_wanted: Callable[[], bool],
    ) -> Tensor:
        """Run some blocks over a pack of targets: `(tokens, dim)` to the same."""
        changes = _changes_of(inputs)
        lengths = [item.num_tokens for item in inputs]
        attend = self._attention.over([item.cache for item in inputs], lengths)
        table = pack_tables([self._rope.of_target(item.cache.layout.target_position, item.grid) for item in inputs])
        for layer in layers:
            _check(is_wanted)
            block = self._blocks[layer]
            # What is projected gets no name: it would live on through the feed-forward, a fifth of what a pass takes.
            attended = attend(layer, *self._project(block, self._norm(hidden, modulation.scale_attn), table, changes))
            hidden = self._finish_block(block, hidden, attended, modulation, changes)
        return hidden

    def _run_with_memos(
        self, inputs: Sequence[StepInput], hidden: Tensor, modulation: Modulation, is_wanted: Callable[[], bool]
    ) -> Tensor:
        """Run the first block over all, and the others over those sequences whose memos do not stand in for them."""
        lengths = [item.num_tokens for item in inputs]
        begun = self._run_blocks(inputs, hidden, modulation, range(1), is_wanted)
        after = list(begun.split(lengths))
        firsts = list((begun - hidden).split(lengths))
        skipping = find_skipping([item.memo if item.may_skip else None for item in inputs], firsts)
        done = [
            piece + item.memo.rest if item.memo and i in skipping else piece
            for i, (item, piece) in enumerate(zip(inputs, after, strict=True))
        ]
        going = [index for index in range(len(inputs)) if index not in skipping]
        if going:
            part = [inputs[index] for index in going]
            share = self._modulate(part) if skipping else modulation
            others = range(1, len(self._blocks))
            ended = self._run_blocks(part, torch.cat([after[i] for i in going]), share, others, is_wanted)
            for index, piece in zip(going, ended.split([item.num_tokens for item in part]), strict=True):
                done[index] = piece
                if memo := inputs[index].memo:
                    memo.keep(firsts[index], piece - after[index])
        return torch.cat(done)

    def _new_block(self, start: int, end: int) -> PrefixBlock:
        shape = (self._params.num_layers, 2, end - start, *self._params.kv_shape)
        return PrefixBlock.empty(start, shape, self.dtype, self.device, in_int8=self._keeps_int8)

    def _embed_prefix(self, item: PrefixInput) -> Tensor:
        """Text and reference latents, projected and interleaved as the layout says: `(tokens, dim)`."""
        txt = self._ends.txt_in(item.txt.to(self.dtype), RowChanges.of([item.adapters], [len(item.txt)]))
        references = iter(item.references)
        parts: list[Tensor] = []
        done = 0
        for segment in item.segments:
            if segment.grid:
                latents = next(references)
                changes = RowChanges.of([item.adapters], [len(latents)])
                parts.append(self._ends.img_in(latents.to(self.dtype), changes))
            else:
                parts.append(txt[done : done + segment.num_tokens])
                done += segment.num_tokens
        return torch.cat(parts)

    def _modulate(self, inputs: Sequence[StepInput]) -> Modulation:
        """A pack's modulation, spread over its tokens."""
        changes = RowChanges.of([item.adapters for item in inputs])
        return self._modulator([item.sigma for item in inputs], [item.num_tokens for item in inputs], changes)

    def _project(
        self, block: BlockProjections, x: Tensor, table: Tensor, changes: RowChanges
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key (normalised, rotated) and value: each `(tokens, heads, head_dim)`."""
        qkv = block.qkv(x, changes).unflatten(-1, (3, *self._params.kv_shape))
        norm = block.norm_qk
        query, key = self.pointwise.norm_rotate(qkv[:, :2], norm.weight, table, norm.eps).unbind(1)
        return query, key, qkv[:, 2]

    def _finish_block(
        self,
        block: BlockProjections,
        hidden: Tensor,
        attended: Tensor,
        modulation: Modulation,
        changes: RowChanges,
    ) -> Tensor:
        add_gated, activate = self.pointwise.add_gated, self.pointwise.activate
        hidden = add_gated(hidden, modulation.gate_attn, block.attn_out(attended, changes))
        gate_up = block.gate_up(self._norm(hidden, modulation.scale_mlp), changes)
        return add_gated(hidden, modulation.gate_mlp, block.mlp_out(activate(gate_up), changes))

    def _norm(self, hidden: Tensor, factor: Tensor) -> Tensor:
        return self.pointwise.scale_norm(hidden, factor, self._params.eps)


def _check(is_wanted: Callable[[], bool]) -> None:
    if not is_wanted():
        raise AbandonedError


def _changes_of(inputs: Sequence[StepInput]) -> RowChanges:
    """What adapters change in the tokens of a pack of targets."""
    return RowChanges.of([item.adapters for item in inputs], [item.num_tokens for item in inputs])

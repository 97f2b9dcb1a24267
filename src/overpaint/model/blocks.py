"""The transformer's blocks, made ready for the device: fused, quantised or streamed from the host where that is wanted.

Goes block by block, so that the device never holds more than one that is not as it will stay.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import overload

import torch
from diffusers.models.transformers.transformer_qwenimage21 import QwenImage21Transformer2DModel
from torch import Tensor

from overpaint.model.hosting import HostedGroup, WeightStream
from overpaint.model.projections import BlockProjections


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """How the blocks are to be held.

    Args:
        quantise: from a weight to one in fewer bits; None leaves them as they are.
        num_streamed: how many live on the host; the last ones.
    """

    quantise: Callable[[Tensor], Tensor] | None = None
    num_streamed: int = 0


AS_THEY_ARE = BlockPlan()


def prepare_blocks(module: QwenImage21Transformer2DModel, plan: BlockPlan) -> Sequence[BlockProjections]:
    """What the blocks multiply with, on the module's device.

    Args:
        module: everything but its blocks on its device.
        plan: how the blocks are to be held.
    """
    first_streamed = len(module.transformer_blocks) - plan.num_streamed
    blocks: list[BlockProjections] = []
    groups: list[HostedGroup] = []
    for layer, block in enumerate(module.transformer_blocks):
        block.to(module.device)
        blocks.append(BlockProjections(module, layer))
        if plan.quantise:
            blocks[-1].quantise(plan.quantise)
        if layer >= first_streamed:
            groups.append(HostedGroup(block.parameters()))
    return StreamedBlocks(blocks, groups, module.device) if groups else blocks


class StreamedBlocks(Sequence[BlockProjections]):
    """Blocks of which the last ones come from the host when they are asked for, one ahead.

    Args:
        blocks: all of them.
        groups: the weights of the last ones.
        device: where they are used.
    """

    def __init__(self, blocks: Sequence[BlockProjections], groups: Sequence[HostedGroup], device: torch.device) -> None:
        self._blocks = blocks
        self._first_streamed = len(blocks) - len(groups)
        self.stream = WeightStream(groups, device, goes_round=True)

    def __len__(self) -> int:
        return len(self._blocks)

    @overload
    def __getitem__(self, index: int) -> BlockProjections: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[BlockProjections]: ...
    def __getitem__(self, index: int | slice) -> BlockProjections | Sequence[BlockProjections]:
        if isinstance(index, slice):
            raise TypeError("blocks come one at a time")
        if index >= len(self._blocks):
            raise IndexError(index)
        if index >= self._first_streamed:
            self.stream.need(index - self._first_streamed)
        return self._blocks[index]

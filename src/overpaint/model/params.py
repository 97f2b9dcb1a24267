"""The few numbers of a transformer's config that our forward needs, under the checkpoint's own names."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

_WORK_PER_CHANNEL = 21
"""Values alive at the peak of a block, for each channel of a token: in the feed-forward, three times as wide.

Of a pack, whose tokens each have a row of the modulation, accelerated or not; a picture alone takes two thirds.
"""


@dataclass(frozen=True, slots=True)
class TransformerParams:
    """Shape of a transformer.

    Args:
        num_layers: blocks.
        num_attention_heads: heads of each.
        attention_head_dim: channels of a head.
        axes_dims_rope: rotary channels for frame, height and width.
        eps: of every norm.
        causal_condition: text and references are modulated at t = 0, so a prefix can be kept.
    """

    num_layers: int
    num_attention_heads: int
    attention_head_dim: int
    axes_dims_rope: tuple[int, ...]
    eps: float
    causal_condition: bool

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "TransformerParams":
        """Read a `transformer/config.json`."""
        fields: dict[str, Any] = {name: config[name] for name in cls.__slots__}
        fields["axes_dims_rope"] = tuple(fields["axes_dims_rope"])
        return cls(**fields)

    @property
    def kv_shape(self) -> tuple[int, int]:
        """Heads, and channels a head."""
        return self.num_attention_heads, self.attention_head_dim

    @property
    def kv_values(self) -> int:
        """Keys and values that one token leaves in all blocks."""
        return 2 * self.num_layers * prod(self.kv_shape)

    @property
    def work_values(self) -> int:
        """Values alive at the peak of a block, for each token of a step or a prefill."""
        return _WORK_PER_CHANNEL * prod(self.kv_shape)


def encoder_kv_values(config: Mapping[str, Any]) -> int:
    """Keys and values that one token leaves in all layers of an encoder, from its `text_config`."""
    return 2 * config["num_hidden_layers"] * config["num_key_value_heads"] * config["head_dim"]

"""The few numbers of a transformer's config that our forward needs, under the checkpoint's own names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


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

"""What one token takes in a transformer, from its shape: the same numbers before it is loaded and after. Torch-free."""

from dataclasses import dataclass

from overpaint.model.params import TransformerParams


@dataclass(frozen=True, slots=True)
class TokenBytes:
    """Bytes that one token takes.

    Args:
        kept: of a prefix, in all layers: its keys and values.
        read: of a prefix on top, for as long as a layer reads it; multiplied out first from int8.
        memo: of an accelerated target, from step to step: as much as its keys and values in one layer.
        work: of a step or a prefill at its peak: its activations.
    """

    kept: int
    read: int
    memo: int
    work: int

    @classmethod
    def of(cls, params: TransformerParams, itemsize: int, *, in_int8: bool) -> "TokenBytes":
        """Of a transformer.

        Args:
            params: its shape.
            itemsize: of its dtype, in bytes.
            in_int8: whether prefixes are kept in 8 bits, each head's vector with a scale in the dtype.
        """
        scales = params.kv_values // params.attention_head_dim * itemsize
        in_layer = params.kv_values // params.num_layers * itemsize
        return cls(
            kept=params.kv_values + scales if in_int8 else params.kv_values * itemsize,
            read=in_layer * (2 if in_int8 else 1),
            memo=in_layer,
            work=params.work_values * itemsize,
        )

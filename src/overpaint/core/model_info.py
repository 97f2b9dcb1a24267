"""What is known of a loaded checkpoint, as plain values for people and for the request's door."""

from dataclasses import dataclass, field

from overpaint.core.sizes import SizeRules


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A loaded checkpoint.

    Args:
        name: how it is called in results and metadata (``"overpaint-mini"``, ``"Qwen/Qwen-Image-2.1"``).
        path: folder it was loaded from.
        device: where it runs (``"cpu"``, ``"cuda:0"``).
        dtype: what it computes in (``"bfloat16"``).
        sizes: the size rules of its output.
        reference_area: pixels a reference picture is resized to.
        default_steps: steps taken when a request names none.
        max_prompt_tokens: longest prompt, in the checkpoint's tokens.
        num_parameters: parameter count by component.
        linears: outputs and inputs of the transformer's linear layers by name, which adapters can change; empty when
            any adapter goes.
    """

    name: str
    path: str
    device: str
    dtype: str
    sizes: SizeRules
    reference_area: int
    default_steps: int
    max_prompt_tokens: int
    num_parameters: dict[str, int] = field(default_factory=dict)
    linears: dict[str, tuple[int, int]] = field(default_factory=dict, repr=False)

"""What a checkpoint's `model_index.json` declares beside diffusers' keys, checked. Knows no folders and no modules.

output_resolution     side of the square area that references, and outputs without a size, are brought to (1024)
max_resolution        side of the largest square area painted directly (output_resolution; where that is not given
                      either, the largest area that Qwen-Image-2.1 is recommended for)
default_steps         steps when a request names none (as many as there are sample_sigmas, else 40)
max_prompt_tokens     longest prompt (4096, or what the tokenizer declares)
sample_sigmas         diffusers' own: the noise levels of a few-step checkpoint
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from overpaint.core import CheckpointError, SizeRules
from overpaint.core.request import MAX_STEPS

INDEX = "model_index.json"
_DEFAULT_RESOLUTION = 1024
_DEFAULT_STEPS = 40
_SIDES = (32, 8192)
_PROMPT_TOKENS = (16, 1 << 20)


@dataclass(frozen=True, slots=True)
class Declared:
    """The values, or what stands for them.

    Args:
        output_resolution: pixels.
        max_area: square pixels painted directly.
        default_steps: steps.
        max_prompt_tokens: None where only the tokenizer knows.
        sample_sigmas: falling, without the last 0; None where there are none.
    """

    output_resolution: int
    max_area: int
    default_steps: int
    max_prompt_tokens: int | None
    sample_sigmas: tuple[float, ...] | None

    @classmethod
    def of(cls, index: Mapping[str, Any], path: object = INDEX) -> "Declared":
        """Read an index.

        Args:
            index: what is in it.
            path: where it is, for the error.

        Raises:
            CheckpointError: a value cannot be what it is there for.
        """
        try:
            side = _whole(index, "output_resolution", _SIDES)
            max_side = _whole(index, "max_resolution", _SIDES) or side
            sigmas = _sigmas(index)
            return cls(
                output_resolution=side or _DEFAULT_RESOLUTION,
                max_area=max_side**2 if max_side else SizeRules().native_area,
                default_steps=_whole(index, "default_steps", (1, MAX_STEPS)) or len(sigmas or ()) or _DEFAULT_STEPS,
                max_prompt_tokens=_whole(index, "max_prompt_tokens", _PROMPT_TOKENS),
                sample_sigmas=sigmas,
            )
        except ValueError as error:
            raise CheckpointError(path, str(error)) from error


def _whole(index: Mapping[str, Any], name: str, bounds: tuple[int, int]) -> int | None:
    value = index.get(name)
    least, most = bounds
    if value is None or (type(value) is int and least <= value <= most):
        return value
    raise ValueError(f"has {name} {value!r}; it must be a whole number of {least} to {most}")


def _sigmas(index: Mapping[str, Any]) -> tuple[float, ...] | None:
    values = index.get("sample_sigmas")
    if values is None or values == []:
        return None
    is_list = isinstance(values, list) and all(type(value) in (int, float) for value in values)
    if is_list and all(0 < value <= 1 for value in values) and all(a > b for a, b in pairwise(values)):
        return tuple(map(float, values))
    raise ValueError(f"has sample_sigmas {values!r}; they must fall from 1 at most and stay above 0")

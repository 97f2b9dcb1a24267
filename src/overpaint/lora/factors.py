"""Which tensors of a LoRA file change which linear layer of a transformer, whoever wrote it.

People publish them under the names of diffusers and PEFT (``transformer.<layer>.lora_A.weight``), of kohya and its
heirs (``<layer>.lora_down.weight`` beside ``<layer>.alpha``), with ``diffusion_model.`` in front for ComfyUI, which has
the gate and up projections as one layer, with ``dit.`` for DiffSynth, or with every dot an underscore
(``lora_unet_<layer>``). What cannot be told or does not fit is named. Knows names and shapes, no tensors.

Source of the strengths: `_convert_non_diffusers_qwen_lora_to_diffusers` and `_create_lora_config` of diffusers 0.42.1,
and `LoraLayer.update_layer` of PEFT 0.21 (alpha over rank, or over its root where `use_rslora` is noted).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from overpaint.lora.header import Header

Linears = Mapping[str, tuple[int, int]]
"""Outputs and inputs of every linear layer, by name."""

_PREFIXES = (
    "transformer.",
    "diffusion_model.",
    "model.diffusion_model.",
    "pipe.dit.",
    "dit.",
    "lora_unet_",
    "lora_transformer_",
    "lycoris_",
)
_FUSED, _PARTS = ".gate_up", (".gate_layer", ".proj")
"""A layer of ComfyUI's, and those that it is here, in the order of its outputs."""
_SUFFIX = re.compile(
    r"(?P<layer>.+?)\.(?:(?P<down>lora_A|lora_down|lora\.down)|(?P<up>lora_B|lora_up|lora\.up))"
    r"(?:\.(?!weight$)[^.]+)?(?:\.weight)?|(?P<scaled>.+)\.alpha"
)
"""Between a matrix's name and `weight`, which some leave out, stands PEFT's name for the adapter, if it has one."""
_OTHER_KINDS = {
    r"dora_scale|lora_magnitude_vector": "DoRA",
    r"lokr_": "LoKr",
    r"hada_": "LoHa",
    r"oft_": "OFT",
    r"lora_mid": "LoCon with a third matrix",
    r"lora_B(\.[^.]+)?\.bias$": "LoRA with biases",
    r"\.diff(_b)?$": "the difference of a whole tensor",
}
"""What is no plain LoRA, by what the names of its tensors hold."""
_TEXT_ENCODERS = ("text_encoder.", "text_encoder_2.", "lora_te", "te.", "text_model.")
_PEFT_FOLDER = "base_model.model."
_NOTES = "lora_adapter_metadata"


@dataclass(frozen=True, slots=True)
class Factor:
    """The change of one linear layer: `x @ down.T @ up.T * strength`.

    Args:
        layer: which one.
        down: tensor of the file, `(rank, inputs)`.
        up: likewise, `(outputs, rank)`; of a layer that is several here, all of their outputs.
        rows: of `up`: the first that is this layer's, and one past the last.
        alpha: tensor with one number, to be divided by the rank; None where there is none.
        strength: of it all, where there is no such tensor.
    """

    layer: str
    down: str
    up: str
    rows: tuple[int, int]
    alpha: str | None
    strength: float


def find_factors(header: Header, linears: Linears) -> tuple[Factor, ...]:
    """Match a file's tensors to the layers they change.

    Args:
        header: of the file.
        linears: of the transformer; empty when it is not known, and then any layer goes.

    Raises:
        ValueError: naming the first tensor that cannot be used, and why; a clause.
    """
    found: dict[str, dict[str, str]] = {}
    layers = _Layers(linears)
    for key in header.shapes:
        _refuse_other_kinds(key)
        match = _SUFFIX.fullmatch(key)
        if match is None:
            raise ValueError(f"has a tensor {key!r} that is no part of a LoRA as diffusers, PEFT or kohya write it")
        kind = "alpha" if match["scaled"] else "down" if match["down"] else "up"
        parts = found.setdefault(layers.find(key, match["layer"] or match["scaled"]), {})
        if kind in parts:
            raise ValueError(f"has two tensors for one thing, {parts[kind]!r} and {key!r}")
        parts[kind] = key
    if not found:
        raise ValueError("holds no tensors")
    strengths = _Strengths(header.notes)
    factors = [
        factor
        for written, parts in found.items()
        for factor in _factors(layers.parts(written), parts, header, linears, strengths)
    ]
    layer, times = Counter(factor.layer for factor in factors).most_common(1)[0]
    if times > 1:
        raise ValueError(f"changes {layer!r} twice, alone and as a part of {_FUSED[1:]!r}")
    return tuple(factors)


class _Layers:
    """Finds layers by what files call them."""

    def __init__(self, linears: Linears) -> None:
        stems = [name.removesuffix(_PARTS[0]) for name in linears if name.endswith(_PARTS[0])]
        self._fused = {f"{stem}{_FUSED}": tuple(f"{stem}{part}" for part in _PARTS) for stem in stems}
        self._known = {*linears, *self._fused}
        self._flat = {name.replace(".", "_"): name for name in self._known}

    def find(self, key: str, written: str) -> str:
        name = written
        for prefix in sorted(_PREFIXES, key=len, reverse=True):
            name = name.removeprefix(prefix)
        if not self._known or name in self._known:
            return name
        if name in self._flat:
            return self._flat[name]
        raise ValueError(
            f"has a tensor {key!r}, and this checkpoint's transformer has no linear layer {name!r}; "
            "adapters fit the family they were trained on, and those of Qwen-Image 1.x do not fit 2.x"
        )

    def parts(self, name: str) -> tuple[str, ...]:
        """What a layer that was found is here."""
        return self._fused.get(name, (name,))


class _Strengths:
    """How strongly each layer is changed where no tensor says it: as PEFT noted it, else as it is."""

    def __init__(self, notes: Mapping[str, str]) -> None:
        try:
            values: dict[str, Any] = json.loads(notes.get(_NOTES) or "{}")
            noted: dict[str, Any] = {key.removeprefix("transformer."): value for key, value in values.items()}
            self._alpha = None if noted.get("lora_alpha") is None else _finite(noted["lora_alpha"])
            # PEFT takes these for regular expressions; nobody but a bomb needs more than the names that it writes.
            patterns: dict[str, Any] = noted.get("alpha_pattern") or {}
            named = enumerate(patterns.items())
            self._patterns = {key.lstrip("^"): (number, _finite(alpha)) for number, (key, alpha) in named}
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as exc:
            raise ValueError(f"has notes ({_NOTES}) that cannot be read") from exc
        self._has_root = bool(noted.get("use_rslora"))
        if noted.get("use_dora"):
            raise ValueError("is DoRA, and only plain LoRA is taken")

    def of(self, layer: str, rank: int) -> float:
        """By the first of the patterns that the layer's name ends with."""
        parts = layer.split(".")
        ends = (".".join(parts[start:]) for start in range(len(parts)))
        named = [self._patterns[end] for end in ends if end in self._patterns]
        alpha = min(named)[1] if named else self._alpha
        return 1.0 if alpha is None else alpha / (math.sqrt(rank) if self._has_root else rank)


def _finite(number: Any) -> float:
    if not math.isfinite(number := float(number)):
        raise ValueError(number)
    return number


def _refuse_other_kinds(key: str) -> None:
    for mark, kind in _OTHER_KINDS.items():
        if re.search(mark, key):
            raise ValueError(f"has a tensor {key!r}: that is {kind}, and only plain LoRA is taken")
    if key.startswith(_TEXT_ENCODERS):
        raise ValueError(f"has a tensor {key!r} that changes the text encoder; only the transformer can be changed")
    if key.startswith(_PEFT_FOLDER):
        raise ValueError(
            f"has a tensor {key!r}: a file of PEFT's own folder, whose strength is in another file; "
            "write it with diffusers' save_lora_weights"
        )


def _factors(
    layers: tuple[str, ...], parts: Mapping[str, str], header: Header, linears: Linears, strengths: _Strengths
) -> Iterator[Factor]:
    """Of layers that the file has as one."""
    for kind in ("down", "up"):
        if kind not in parts:
            raise ValueError(f"has {next(iter(parts.values()))!r} without the other half, its {kind} matrix")
    down, up = header.shapes[parts["down"]], header.shapes[parts["up"]]
    shapes = [linears.get(layer, (up[0] if up else 0, down[-1] if down else 0)) for layer in layers]
    ends = [0, *accumulate(outputs for outputs, _ in shapes)]
    inputs = shapes[0][1]
    if len(down) != 2 or down[0] < 1 or down[1] != inputs:
        raise ValueError(f"has {parts['down']!r} of shape {list(down)}; it must be [rank, {inputs}]")
    if up != (ends[-1], down[0]):
        raise ValueError(f"has {parts['up']!r} of shape {list(up)}; it must be {[ends[-1], down[0]]}")
    alpha = parts.get("alpha")
    if alpha is not None and math.prod(header.shapes[alpha]) != 1:
        raise ValueError(f"has {alpha!r} of shape {list(header.shapes[alpha])}; it must be one number")
    for layer, rows in zip(layers, pairwise(ends), strict=True):
        yield Factor(layer, parts["down"], parts["up"], rows, alpha, strengths.of(layer, down[0]))

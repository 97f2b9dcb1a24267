"""What is wrong with a LoRA file is told by name before anything is loaded."""

import io
import json
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from overpaint.core.errors import ConfigError, RequestError
from overpaint.core.request import AdapterRef
from overpaint.lora.factors import find_factors
from overpaint.lora.folder import AdapterFolder, open_file
from overpaint.lora.header import Header, parse_header, read_header

LINEARS = {"transformer_blocks.0.attn.to_q": (8, 6), "transformer_blocks.0.img_mlp.gate_layer": (12, 6)}
QUERY = "transformer_blocks.0.attn.to_q"


def header(shapes: dict[str, tuple[int, ...]], **notes: str) -> Header:
    return Header(shapes, notes)


def pair(layer: str = QUERY, down: str = "lora_A.weight", up: str = "lora_B.weight") -> dict[str, tuple[int, ...]]:
    return {f"{layer}.{down}": (2, 6), f"{layer}.{up}": (8, 2)}


def noted(**values: object) -> str:
    return json.dumps({f"transformer.{key}": value for key, value in values.items()})


@pytest.mark.parametrize(
    ("shapes", "says"),
    [
        ({}, "holds no tensors"),
        (pair("transformer_blocks.0.attn.add_k_proj"), "no linear layer 'transformer_blocks.0.attn.add_k_proj'"),
        (pair("transformer_blocks.7.attn.to_q"), "1.x do not fit 2.x"),
        ({f"{QUERY}.lora_A.weight": (2, 6)}, "without the other half, its up matrix"),
        ({f"{QUERY}.alpha": ()}, "without the other half, its down matrix"),
        (pair() | {f"{QUERY}.lora_A.weight": (2, 7)}, r"shape \[2, 7\]; it must be \[rank, 6\]"),
        (pair() | {f"{QUERY}.lora_B.weight": (8, 3)}, r"shape \[8, 3\]; it must be \[8, 2\]"),
        (pair() | {f"{QUERY}.lora_A.weight": (0, 6)}, "must be"),
        (pair() | {f"{QUERY}.lora_A.weight": (2, 6, 1, 1)}, "must be"),
        (pair() | {f"{QUERY}.alpha": (2,)}, "must be one number"),
        (pair() | {f"transformer.{QUERY}.lora_A.weight": (2, 6)}, "two tensors for one thing"),
        (pair() | {f"{QUERY}.dora_scale": (8,)}, "that is DoRA"),
        (pair() | {f"{QUERY}.lora_B.bias": (8,)}, "LoRA with biases"),
        ({f"{QUERY}.lokr_w1": (2, 2)}, "that is LoKr"),
        ({f"{QUERY}.hada_w1_a": (2, 2)}, "that is LoHa"),
        (pair() | {f"{QUERY}.lora_mid.weight": (2, 2, 1, 1)}, "that is LoCon with a third matrix"),
        ({f"diffusion_model.{QUERY}.diff_b": (8,)}, "that is the difference of a whole tensor"),
        (pair() | pair(down="lora_A.one.weight", up="lora_B.one.weight"), "two tensors for one thing"),
        ({f"{QUERY}.weight": (8, 6)}, "no part of a LoRA"),
        (pair("text_encoder.layers.0.q_proj"), "changes the text encoder"),
        ({f"lora_te_{key}": shape for key, shape in pair().items()}, "changes the text encoder"),
        ({f"base_model.model.{key}": shape for key, shape in pair().items()}, "save_lora_weights"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(shapes: dict[str, tuple[int, ...]], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        find_factors(header(shapes), LINEARS)


@pytest.mark.parametrize("prefix", ["", "transformer.", "diffusion_model.", "model.diffusion_model.", "dit."])
@pytest.mark.parametrize("end", [".weight", ""])
@pytest.mark.parametrize(
    ("down", "up"),
    [
        ("lora_A", "lora_B"),
        ("lora_A.default", "lora_B.default"),
        ("lora_A.my_style", "lora_B.my_style"),
        ("lora_down", "lora_up"),
    ],
)
def test_layers_are_found_whatever_they_are_called(prefix: str, end: str, down: str, up: str) -> None:
    shapes = {prefix + key: shape for key, shape in pair(QUERY, down + end, up + end).items()}
    (factor,) = find_factors(header(shapes), LINEARS)
    assert (factor.layer, factor.alpha, factor.strength) == (QUERY, None, 1.0)


def test_underscored_names_are_told_apart_by_the_layers_there_are() -> None:
    name = "lora_unet_transformer_blocks_0_img_mlp_gate_layer"
    shapes = {f"{name}.lora_down.weight": (2, 6), f"{name}.lora_up.weight": (12, 2), f"{name}.alpha": ()}
    (factor,) = find_factors(header(shapes), LINEARS)
    assert (factor.layer, factor.alpha) == ("transformer_blocks.0.img_mlp.gate_layer", f"{name}.alpha")


FUSED = {"b.img_mlp.gate_layer": (12, 6), "b.img_mlp.proj": (12, 6)}


@pytest.mark.parametrize("name", ["diffusion_model.b.img_mlp.gate_up", "lora_unet_b_img_mlp_gate_up"])
def test_what_comfyui_has_as_one_layer_changes_both(name: str) -> None:
    shapes = {f"{name}.lora_down.weight": (2, 6), f"{name}.lora_up.weight": (24, 2)}
    factors = find_factors(header(shapes), FUSED)
    assert [(factor.layer, factor.rows) for factor in factors] == [
        ("b.img_mlp.gate_layer", (0, 12)),
        ("b.img_mlp.proj", (12, 24)),
    ]
    with pytest.raises(ValueError, match=r"must be \[24, 2\]"):
        find_factors(header(shapes | {f"{name}.lora_up.weight": (12, 2)}), FUSED)
    alone = {"b.img_mlp.proj.lora_A.weight": (2, 6), "b.img_mlp.proj.lora_B.weight": (12, 2)}
    with pytest.raises(ValueError, match=r"changes 'b\.img_mlp\.proj' twice"):
        find_factors(header(shapes | alone), FUSED)


@pytest.mark.parametrize(
    ("notes", "strength"),
    [
        ({"r": 2, "lora_alpha": 6}, 3.0),
        ({"r": 2, "lora_alpha": 6, "use_rslora": True}, 6 / 2**0.5),
        ({"r": 2, "lora_alpha": 6, "alpha_pattern": {"attn.to_q": 1}}, 0.5),
        ({"r": 2, "lora_alpha": 6, "alpha_pattern": {f"^{QUERY}": 1, "to_k": 9}}, 0.5),
    ],
)
def test_the_strength_that_peft_noted_counts(notes: dict[str, object], strength: float) -> None:
    (factor,) = find_factors(header(pair(), lora_adapter_metadata=noted(**notes)), LINEARS)
    assert factor.strength == pytest.approx(strength)


@pytest.mark.parametrize(
    "notes",
    [
        "{",
        "[]",
        noted(lora_alpha="much"),
        noted(alpha_pattern=3),
        "[" * 100_000,
        noted(lora_alpha=float("inf")),
        noted(lora_alpha=10**400),
        noted(alpha_pattern={"to_q": float("nan")}),
    ],
)
def test_notes_that_cannot_be_read_are_refused(notes: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        find_factors(header(pair(), lora_adapter_metadata=notes), LINEARS)


def test_the_first_of_the_patterns_in_the_notes_counts() -> None:
    patterns = {f"x{number}.to_q": 2 for number in range(1000)} | {"attn.to_q": 1, QUERY: 8, "to_q": 4}
    (factor,) = find_factors(header(pair(), lora_adapter_metadata=noted(alpha_pattern=patterns)), LINEARS)
    assert factor.strength == 0.5


def test_where_no_checkpoint_is_known_any_layer_goes() -> None:
    assert find_factors(header(pair("blocks.9.anything")), {})


def written(path: Path) -> Path:
    save_file({key: torch.zeros(shape) for key, shape in pair().items()}, path, metadata={"format": "pt"})
    return path


def test_a_header_is_read_without_the_tensors(tmp_path: Path) -> None:
    found = read_header(written(tmp_path / "a.safetensors"))
    assert dict(found.shapes) == pair()
    assert found.num_bytes == (2 * 6 + 8 * 2) * 4


@pytest.mark.parametrize("dtype", ["uint8", "bool", "bfloat16", "float8_e4m3fn", "float8_e5m2", "float64", "int16"])
def test_tensors_of_any_dtype_are_measured(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(3, 5).to(getattr(torch, dtype))}, path)
    assert read_header(path).shapes == {"a": (3, 5)}


def test_a_file_that_is_cut_off_or_too_long_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "a.safetensors").read_bytes()
    for wrong in (data[:-1], data + b"x"):
        with pytest.raises(ValueError, match="cut off"):
            parse_header(io.BytesIO(wrong), len(wrong))


def test_a_header_that_would_keep_its_reader_busy_is_refused_unread() -> None:
    """A crafted one of 90 MiB took eleven seconds and gigabytes."""
    length = 17 * 1024 * 1024
    file = io.BytesIO(length.to_bytes(8, "little") + b'{"' + b"a" * (length - 7) + b'":{}}')
    with pytest.raises(ValueError, match="at most 16 MiB"):
        parse_header(file, len(file.getvalue()))
    assert file.tell() == 8


@given(st.binary(max_size=200))
def test_bytes_of_anything_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"safetensors|cut off"):
        parse_header(io.BytesIO(data), len(data))


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [-1], "data_offsets": [0, -4]},
        {"dtype": "STRING", "shape": [1], "data_offsets": [0, 1]},
        {"shape": [1], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [float("inf")], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [True], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [1.0], "data_offsets": [0.0, 4.0]},
        {"dtype": "F32", "shape": [1] * 9, "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [0, 10**4000], "data_offsets": [0, 0]},
        {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]},
        [],
        None,
    ],
)
def test_a_header_that_lies_is_refused(entry: object) -> None:
    """Sides without end, multiplied, once stopped the whole process for minutes."""
    text = json.dumps({"a": entry}).encode()
    data = len(text).to_bytes(8, "little") + text + b"\0\0\0\0"
    with pytest.raises(ValueError, match="not a safetensors file"):
        parse_header(io.BytesIO(data), len(data))


def test_a_tensor_is_not_called_by_a_whole_book() -> None:
    """It was looked through again and again, and repeated in the answer."""
    text = json.dumps({"a" * 1025: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    data = len(text).to_bytes(8, "little") + text + bytes(4)
    with pytest.raises(ValueError, match="not a safetensors file") as refusal:
        parse_header(io.BytesIO(data), len(data))
    assert len(str(refusal.value)) < 100


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "style.safetensors"
    path.write_bytes(pickle.dumps({"a": 1}) * 100)
    with pytest.raises(RequestError, match="is not a safetensors file"):
        open_file(path, 1.0, "lora")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"lora: .*style.*cannot be read"):
        open_file(tmp_path / "style.safetensors", 1.0, "lora")


@pytest.fixture
def folder(tmp_path: Path) -> AdapterFolder:
    (tmp_path / "acme" / "many").mkdir(parents=True)
    for name in ("style", "acme/one", "acme/many/a", "acme/many/b"):
        written(tmp_path / f"{name}.safetensors")
    (tmp_path / "owner" / "repo").mkdir(parents=True)
    written(tmp_path / "owner" / "repo" / "pytorch_lora_weights.safetensors")
    (tmp_path / "notes.txt").write_text("no adapter")
    return AdapterFolder(tmp_path)


def test_a_folder_lists_what_can_be_named(folder: AdapterFolder) -> None:
    names = ("acme/many/a", "acme/many/b", "acme/one", "owner/repo/pytorch_lora_weights", "style")
    assert folder.names() == names
    assert AdapterFolder(None).names() == ()


def test_folders_that_are_linked_into_it_are_part_of_it(folder: AdapterFolder, tmp_path: Path) -> None:
    """As those of ComfyUI, which one does not copy."""
    elsewhere = tmp_path.with_name(f"{tmp_path.name}-elsewhere")
    (elsewhere / "flat").mkdir(parents=True)
    written(elsewhere / "flat" / "line.safetensors")
    (tmp_path / "comfy").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(tmp_path)
    (elsewhere / "round").symlink_to(elsewhere)
    (elsewhere / "nowhere.safetensors").symlink_to(elsewhere / "gone")
    assert [name for name in folder.names() if name.startswith("comfy")] == ["comfy/flat/line"]
    assert folder.find(AdapterRef("comfy/flat/line")) is not None


@pytest.mark.parametrize(
    ("source", "weight_name", "stem"),
    [
        ("style", None, "style"),
        ("acme/one", None, "one"),
        ("owner/repo", None, "pytorch_lora_weights"),
        ("owner/repo", "pytorch_lora_weights.safetensors", "pytorch_lora_weights"),
        ("acme/many", "b.safetensors", "b"),
        ("acme/many", None, None),
        ("acme/many", "c.safetensors", None),
        ("../style", None, None),
        ("/etc/passwd", None, None),
        ("acme/../style", None, None),
    ],
)
def test_a_name_or_a_hub_id_is_found_below_the_folder_and_nowhere_else(
    folder: AdapterFolder, source: str, weight_name: str | None, stem: str | None
) -> None:
    found = folder.find(AdapterRef(source, weight_name=weight_name))
    assert (found.stem if found else None) == stem


def test_a_file_that_changes_has_another_digest(folder: AdapterFolder) -> None:
    path = folder.find(AdapterRef("style"))
    assert path is not None
    before = folder.digest(path)
    assert before == folder.digest(path)
    save_file({key: torch.ones(shape) for key, shape in pair().items()}, path)
    assert folder.digest(path) != before


def test_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not a folder"):
        AdapterFolder(tmp_path / "nowhere")

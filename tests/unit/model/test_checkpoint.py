"""Whole checkpoints load, damaged ones are named."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.utils import logging as diffusers_bars
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers.utils import logging as transformers_bars

from overpaint.core.config import ModelConfig
from overpaint.core.errors import CheckpointError, ConfigError
from overpaint.core.sizes import SizeRules, parse_size, plan_canvas
from overpaint.model import checkpoint as checkpoint_module
from overpaint.model.checkpoint import Checkpoint, load_checkpoint
from overpaint.model.declared import Declared
from overpaint.model.vae import Tiling
from tests.reference.checkpoints import write_checkpoint
from tests.reference.library import AutoencoderKLQwenImage21


def _load(source: Path | str, dtype: str = "float32") -> Checkpoint:
    return load_checkpoint(ModelConfig(str(source), device="cpu", dtype=dtype))


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return shutil.copytree(folder, tmp_path / "copy")


def _edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_sharded_checkpoint_loads_with_every_weight(folder: Path, checkpoint: Checkpoint) -> None:
    assert len(list((folder / "transformer").glob("*.safetensors"))) > 1
    assert checkpoint.info.device == "cpu"
    assert checkpoint.info.dtype == "float32"
    assert all(count > 0 for count in checkpoint.info.num_parameters.values())
    assert not any(parameter.is_meta for parameter in checkpoint.transformer.parameters())
    assert not checkpoint.transformer.training


@pytest.mark.parametrize("of_hub", [True, False])
def test_loading_draws_no_bars_and_leaves_them_as_they_were(
    of_hub: bool, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shown = transformers_bars.is_progress_bar_enabled(), are_progress_bars_disabled()
    transformers_bars.enable_progress_bar()
    if not of_hub:
        disable_progress_bars()
    try:
        _load(folder)
        assert transformers_bars.is_progress_bar_enabled()
        assert diffusers_bars.is_progress_bar_enabled()
        assert are_progress_bars_disabled() is not of_hub
    finally:
        (transformers_bars.enable_progress_bar if shown[0] else transformers_bars.disable_progress_bar)()
        (disable_progress_bars if shown[1] else enable_progress_bars)()
    assert "%|" not in capfd.readouterr().err


def test_a_checkpoint_declares_its_own_resolution(checkpoint: Checkpoint) -> None:
    assert checkpoint.info.reference_area == checkpoint.info.sizes.default_area == 96 * 96


def test_a_checkpoint_that_declares_nothing_has_diffusers_defaults(tmp_path: Path) -> None:
    info = _load(write_checkpoint(tmp_path)).info
    assert info.reference_area == 1024 * 1024
    assert info.sizes.native_area == 2400 * 1792
    assert info.default_steps == 40


def test_a_few_step_checkpoint_takes_as_many_steps_as_it_has_sigmas(tmp_path: Path) -> None:
    checkpoint = _load(write_checkpoint(tmp_path, sample_sigmas=[1.0, 0.8, 0.3]))
    assert checkpoint.sample_sigmas == (1.0, 0.8, 0.3)
    assert checkpoint.info.default_steps == 3


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float16, torch.float32], ids=str)
@pytest.mark.parametrize("asked", ["bfloat16", "float16", "float32"])
def test_weights_of_any_dtype_load_in_the_dtype_asked_for(tmp_path: Path, stored: torch.dtype, asked: str) -> None:
    checkpoint = _load(write_checkpoint(tmp_path, dtype=stored), asked)
    assert checkpoint.info.dtype == asked
    for module in (checkpoint.transformer, checkpoint.text_encoder, checkpoint.vae):
        assert {parameter.dtype for parameter in module.parameters()} == {getattr(torch, asked)}


@pytest.mark.parametrize(
    "size", ["2048x2048", "2400x1792", "1792x2400", "2528x1696", "1696x2528", "2752x1536", "1536x2752"]
)
def test_every_size_that_the_model_is_recommended_at_is_painted_as_it_is(size: str) -> None:
    """In pixels and not enlarged, and whole as diffusers does it and not in tiles."""
    rules = SizeRules(native_area=Declared.of({}).max_area)
    canvas = plan_canvas(parse_size(size), None, rules)
    assert not canvas.is_resized
    assert canvas.painted.area // 16**2 <= Tiling().threshold_tokens


@pytest.mark.parametrize(
    ("declared", "says"),
    [
        ({"output_resolution": "1024"}, "'1024'; it must be a whole number of 32 to 8192"),
        ({"output_resolution": 0}, "whole number"),
        ({"max_resolution": [1]}, "whole number"),
        ({"default_steps": 1000}, "1000; it must be a whole number of 1 to 200"),
        ({"max_prompt_tokens": True}, "whole number"),
        ({"sample_sigmas": 0.5}, "stay above 0"),
        ({"sample_sigmas": [1.0, "x"]}, "stay above 0"),
        ({"sample_sigmas": [1.0, 0.5, 0.0]}, "stay above 0"),
        ({"sample_sigmas": [0.2, 1.0]}, "must fall"),
    ],
)
def test_an_index_that_declares_nonsense_is_refused(copy: Path, declared: dict[str, Any], says: str) -> None:
    _edit_json(copy / "model_index.json", **declared)
    with pytest.raises(CheckpointError, match=rf"model_index\.json has {next(iter(declared))} .*{says}"):
        _load(copy)


def test_a_schedule_that_is_not_done_here_is_named(copy: Path) -> None:
    _edit_json(copy / "scheduler" / "scheduler_config.json", use_karras_sigmas=True)
    with pytest.raises(CheckpointError, match=r"scheduler_config\.json has use_karras_sigmas True"):
        _load(copy)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing-here"):
        _load(tmp_path / "nothing-here")


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"x")
    with pytest.raises(CheckpointError, match=r"model\.safetensors.*folder"):
        _load(path)


def test_an_empty_folder_lacks_its_index(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"model_index\.json is missing"):
        _load(tmp_path)


def test_another_pipelines_checkpoint_is_refused_by_its_name(copy: Path) -> None:
    _edit_json(copy / "model_index.json", _class_name="FluxPipeline")
    with pytest.raises(CheckpointError, match=r"model_index\.json describes a FluxPipeline"):
        _load(copy)


@pytest.mark.parametrize("component", ["scheduler", "transformer", "text_encoder", "vae", "processor"])
def test_a_missing_component_is_named(copy: Path, component: str) -> None:
    shutil.rmtree(copy / component)
    with pytest.raises(CheckpointError, match=component):
        _load(copy)


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "transformer/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "scheduler/scheduler_config.json",
        "processor/tokenizer.json",
        "processor/preprocessor_config.json",
        "transformer/diffusion_pytorch_model.safetensors.index.json",
    ],
)
@pytest.mark.parametrize("damage", ["missing", "empty", "half", "no_object"])
def test_a_damaged_description_is_named(copy: Path, name: str, damage: str) -> None:
    path = copy / name
    text = path.read_text()
    path.unlink()
    if damage != "missing":
        path.write_text({"empty": "", "half": text[: len(text) // 2], "no_object": "[1, 2]"}[damage])
    with pytest.raises(CheckpointError) as raised:
        _load(copy)
    assert Path(name).parent.name in str(raised.value)


def _drop(path: Path) -> None:
    path.unlink()


def _cut_data(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def _cut_header(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:50])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def _pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123\n")


def _write_header(path: Path, text: bytes) -> None:
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def _no_object(path: Path) -> None:
    _write_header(path, b"[1, 2]")


def _no_tensors(path: Path) -> None:
    _write_header(path, b'{"weight": 1}')


def _without_end(path: Path) -> None:
    _write_header(path, b"[" * 200_000)


@pytest.mark.parametrize(
    "damage", [_drop, _cut_data, _cut_header, _empty, _append, _pointer, _no_object, _no_tensors, _without_end]
)
@pytest.mark.parametrize("component", ["transformer", "text_encoder", "vae"])
def test_a_damaged_weight_file_is_named(copy: Path, component: str, damage: Callable[[Path], None]) -> None:
    path = max((copy / component).glob("*.safetensors"))
    damage(path)
    with pytest.raises(CheckpointError) as raised:
        _load(copy)
    assert component in str(raised.value)
    if damage is not _drop or component != "vae":  # without an index nobody knows what the lost file was called
        assert path.name in str(raised.value)


def test_hidden_files_beside_weights_are_left_aside(copy: Path) -> None:
    for component in ("transformer", "text_encoder", "vae"):
        for path in [*(copy / component).glob("*.safetensors*")]:
            path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7 resource fork")
    assert _load(copy).info.num_parameters["vae"] > 0


def test_a_checkpoint_quantised_with_what_is_not_installed_is_named(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: Any, **_options: Any) -> None:
        raise ImportError(
            "Using `bitsandbytes` 4-bit quantization requires bitsandbytes: `pip install -U bitsandbytes`"
        )

    monkeypatch.setattr(checkpoint_module.Qwen3VLForConditionalGeneration, "from_pretrained", fail)
    with pytest.raises(CheckpointError, match=r"text_encoder cannot be loaded: Using `bitsandbytes`"):
        _load(copy)


@pytest.mark.parametrize("weight_map", [None, [], {}, {"a": 1}, {"a": [1]}, {"a": "../vae/model.safetensors"}])
def test_an_index_of_weights_that_names_no_files_beside_it_is_refused(copy: Path, weight_map: object) -> None:
    _edit_json(copy / "transformer" / "diffusion_pytorch_model.safetensors.index.json", weight_map=weight_map)
    with pytest.raises(CheckpointError, match=r"index\.json has no weight_map"):
        _load(copy)


@pytest.mark.parametrize(
    ("component", "changes"),
    [
        pytest.param("transformer", {"num_layers": 4}, id="more_layers"),
        pytest.param("transformer", {"num_layers": 2}, id="fewer_layers"),
        pytest.param("transformer", {"num_attention_heads": 2}, id="other_heads"),
        pytest.param("transformer", {"in_channels": 64, "out_channels": 64}, id="other_channels"),
        pytest.param("vae", {"base_dim": 16}, id="other_vae_width"),
        pytest.param("vae", {"num_res_blocks": 2}, id="other_vae_depth"),
        pytest.param("vae", {"latents_std": [1.0]}, id="other_statistics"),
        pytest.param("vae", {"latents_mean": None}, id="no_statistics"),
        pytest.param("text_encoder", {"text_config": {"hidden_size": "wide"}}, id="words_for_numbers"),
        # A library that finds none builds its largest model, which the machine may not survive.
        pytest.param("text_encoder", {"text_config": None}, id="no_text_config"),
        pytest.param("text_encoder", {"vision_config": None}, id="no_vision_config"),
    ],
)
def test_a_config_that_does_not_fit_the_weights_is_refused(copy: Path, component: str, changes: dict[str, Any]) -> None:
    _edit_json(copy / component / "config.json", **changes)
    with pytest.raises(CheckpointError, match=component):
        _load(copy)


def test_components_that_do_not_fit_each_other_are_refused(copy: Path) -> None:
    """A VAE of other latents than the transformer paints: each is whole, together they are nothing."""
    shutil.rmtree(copy / "vae")
    shape = {"base_dim": 8, "decoder_base_dim": 8, "dim_mult": [1, 1, 1, 1, 1], "num_res_blocks": 1}
    AutoencoderKLQwenImage21(z_dim=8, latents_mean=[0.0] * 8, latents_std=[1.0] * 8, **shape).save_pretrained(
        copy / "vae"
    )
    with pytest.raises(CheckpointError, match="vae"):
        _load(copy)


def test_a_transformer_whose_prefix_depends_on_the_step_is_refused(copy: Path) -> None:
    _edit_json(copy / "transformer" / "config.json", causal_condition=False)
    with pytest.raises(CheckpointError, match="causal_condition"):
        _load(copy)


def test_a_device_that_is_not_there_is_refused(folder: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("it is there")
    with pytest.raises(ConfigError, match="cuda"):
        load_checkpoint(ModelConfig(str(folder), device="cuda"))


def test_reading_a_checkpoint_leaves_its_folder_as_it_was(copy: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    _load(copy)
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before


def test_a_processor_as_transformers_5_saves_it_reads_pictures_the_same(copy: Path, checkpoint: Checkpoint) -> None:
    old = copy / "processor" / "preprocessor_config.json"
    described = json.loads(old.read_text()) | {"image_processor_type": "Qwen2VLImageProcessor"}
    (copy / "processor" / "processor_config.json").write_text(json.dumps({"image_processor": described}))
    old.unlink()
    read, usual = _load(copy).image_processor, checkpoint.image_processor
    told = ("size", "patch_size", "merge_size", "image_mean", "image_std", "rescale_factor")
    assert [getattr(read, name) for name in told] == [getattr(usual, name) for name in told]

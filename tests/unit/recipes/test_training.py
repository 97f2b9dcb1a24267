"""The training run end to end with tiny numbers: the code a GPU runs, on a CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from overpaint.model.device import resolve_dtype
from recipes.mini import settings as settings_module
from recipes.mini.batches import Painter, TaskRows
from recipes.mini.decoder import measure, not_quite_wrong, of_the_same_world, pairs
from recipes.mini.evaluate import evaluate
from recipes.mini.export import export
from recipes.mini.painted import paint
from recipes.mini.run import Run, load_checkpoint, pick_dtype
from recipes.mini.sampling import Sampler
from recipes.mini.settings import Settings, load_settings
from recipes.mini.train import Trainer
from recipes.mini.vae import build_vae
from recipes.mini.world import WIDE

CONFIGS = Path("recipes/mini/configs")


@pytest.fixture
def smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(settings_module, "RUNS", tmp_path)
    return replace(load_settings(CONFIGS / "smoke.toml"), batch=2, workers=0)


def take_steps(trainer: Trainer, count: int) -> None:
    run, settings = trainer.run, trainer.settings
    painter = Painter(run.composer, run.code, run.prompts.drop)
    rows = iter(TaskRows(settings.world, run.prompts, settings.batch, 1, settings.pad_to))
    for _ in range(count):
        assert torch.isfinite(trainer.step(painter.batch(next(rows))))


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_configuration_can_be_read(path: Path) -> None:
    settings = load_settings(path)
    assert settings.pad_to is None or settings.pad_to % 16 == 0
    assert settings.sizes.width % settings.sizes.heads == 0


@pytest.mark.parametrize(("able", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_run_computes_in_what_the_engine_would_take(
    able: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    for probe in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: able)
    processor = torch.device("cpu")
    assert pick_dtype(processor) == resolve_dtype("auto", processor) == dtype
    assert pick_dtype(torch.device("cuda")) == torch.bfloat16


def test_a_run_goes_on_where_it_stopped_and_its_export_can_be_judged(smoke: Settings, tmp_path: Path) -> None:
    trainer = Trainer(Run(smoke))
    frequencies = trainer.worker.model.text_encoder.model.language_model.rotary_emb.inv_freq
    assert frequencies.dtype == torch.float32  # a working copy in bfloat16 once rounded them
    take_steps(trainer, 3)
    trainer.save()
    again = Trainer(Run(smoke))
    assert again.resume()
    assert again.steps == 3
    for first, second in zip(trainer.average.parameters(), again.average.parameters(), strict=True):
        assert torch.equal(first, second)
    take_steps(again, 1)
    export(again.run, tmp_path / "checkpoint")
    report = evaluate(Sampler.load(tmp_path / "checkpoint", steps=1), 15, tmp_path / "figures")
    assert report["cases"] == 15
    assert set(report["marks"]) >= {"object", "background", "text", "alpha IoU"}
    assert json.loads((tmp_path / "figures" / "evaluation.json").read_text()) == report
    fresh = Run(smoke).networks()
    assert load_checkpoint(fresh, tmp_path / "checkpoint") == []
    want = torch.load(smoke.folder / "state.pt")["ema"]["model.transformer.img_in.weight"]
    torch.testing.assert_close(fresh.model.transformer.img_in.weight, want, atol=2e-2, rtol=2e-2)


def test_a_taught_run_begins_with_its_teacher_and_moves_away_from_it(smoke: Settings) -> None:
    teacher = Trainer(Run(smoke))
    take_steps(teacher, 3)
    teacher.save()
    taught = Trainer(Run(replace(smoke, name="taught", teacher=smoke.name, guidance=3.0)))
    for first, second in zip(teacher.average.parameters(), taught.master.parameters(), strict=True):
        assert torch.equal(first, second)
    taken = taught.teacher
    assert taken is not None
    before = [parameter.clone() for parameter in taken.model.parameters()]
    take_steps(taught, 2)
    assert all(torch.equal(a, b) for a, b in zip(before, taken.model.parameters(), strict=True))
    both = zip(before, taught.worker.model.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in both)


def test_a_run_goes_on_from_a_checkpoint_and_knows_the_guidance_in_it(smoke: Settings, tmp_path: Path) -> None:
    first = Trainer(Run(smoke))
    first.save()
    checkpoint = tmp_path / "checkpoint"
    export(Run(replace(smoke, guidance=3.0)), checkpoint)
    further = Trainer(Run(replace(smoke, name="further", teacher=str(checkpoint), guidance=2.0)))
    assert further.teacher is not None
    assert (further.teacher.scale, further.teacher.learned) == (2.0, 3.0)
    for exported, taken in zip(first.average.model.parameters(), further.master.model.parameters(), strict=True):
        torch.testing.assert_close(exported, taken, atol=2e-2, rtol=2e-2)  # bfloat16 on disk
    with pytest.raises(ValueError, match="knows the full world, not the wide one"):
        Trainer(Run(replace(smoke, world=WIDE, name="other", teacher=str(checkpoint))))


def test_a_decoder_learns_from_what_its_transformer_painted_but_from_nothing_that_is_something_else(
    smoke: Settings,
) -> None:
    trainer = Trainer(Run(smoke))
    trainer.save()
    run, grid = trainer.run, smoke.grid
    vae, paintings = build_vae(run.code), paint(run, run.averaged().model, 3, seed=1)
    food = pairs(run, iter(TaskRows(smoke.world, run.prompts, 2, 1, None)), paintings)
    assert measure(vae, run, paintings).keys() == {"exact dB"}, "nothing painted is near enough to be measured"
    exact, painted = next(food), next(food)
    near, far = (not_quite_wrong(run, *pair).mean() for pair in (exact, painted))
    assert near == 1
    assert far < 0.5  # an untrained transformer paints nothing that was asked for
    latents, pictures = exact
    latents[0, 3] += 2
    mask = not_quite_wrong(run, latents, pictures)
    assert mask[0, 0, 0, 48:64].max() == 0
    assert mask.mean() == 1 - 1 / (len(latents) * grid**2)


def test_a_decoder_of_another_world_is_left_aside(
    smoke: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of the bundled checkpoint it made 12 dB in the full world, where the closed form begins with 32."""
    run = Run(smoke)
    (tmp_path / "recipe.json").write_text('{"world": "full", "guidance": 1.0}')
    assert of_the_same_world(run, tmp_path) == tmp_path
    assert of_the_same_world(run, None) is None
    assert of_the_same_world(run, Path("src/overpaint/bundled/overpaint-mini")) is None
    assert "overpaint-mini" in capsys.readouterr().out


def fail_at(script: Path, module: str, status: int) -> Path:
    """A Python that ends one of the recipe's steps with a status, and has all others done."""
    lines = [
        "#!/bin/sh",
        'case "$*" in',
        f"*{module}*) exit {status} ;;",
        f'*print*) exec {sys.executable} "$@" ;;',
        "esac",
    ]
    script.write_text("\n".join(lines) + "\n")
    script.chmod(0o755)
    return script


@pytest.mark.parametrize(("status", "end", "said"), [(3, 3, "evaluation failed"), (124, 0, "did not finish in time")])
def test_an_evaluation_that_breaks_is_not_told_as_one_that_took_too_long(
    status: int, end: int, said: str, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    script = root / "recipes" / "mini" / "gpu.sh"
    run = root / "recipes" / "mini" / "runs" / "it"
    (run / "checkpoint" / "overpaint-mini").mkdir(parents=True)
    for name in ("loss.png", "loss.csv"):
        (run / name).touch()
    script.write_text(Path("recipes/mini/gpu.sh").read_text())
    python = fail_at(tmp_path / "python", "mini.evaluate", status)
    environment = {**os.environ, "PYTHON": str(python), "CONFIG": "it.toml"}
    done = subprocess.run(["bash", str(script)], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == end, done.stderr
    assert said in done.stdout + done.stderr
    assert (run / "out" / "checkpoint.tar.00").exists()


@pytest.mark.slow
def test_the_command_for_a_gpu_leaves_at_most_eight_small_files(tmp_path: Path) -> None:
    given = {"CONFIG": str(CONFIGS / "smoke.toml"), "MINUTES": "6", "RESERVE": "1", "DECODER": "0.05", "CASES": "15"}
    environment = {**os.environ, **given, "PYTHON": sys.executable, "OUT": str(tmp_path)}
    subprocess.run(["bash", "recipes/mini/gpu.sh"], env=environment, check=True, timeout=400)
    files = list(tmp_path.iterdir())
    assert len(files) <= 8
    assert all(file.stat().st_size <= 16_000_000 for file in files)
    assert {"checkpoint.tar.00", "evaluation.json", "loss.png"} <= {file.name for file in files}

"""Writes a run as a checkpoint in the diffusers layout, and sample pictures for the demo.

    python -m recipes.mini.export --config recipes/mini/configs/cpu.toml

Weights go out in bfloat16, cut into files of at most 12 MB. Knows nothing of training.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKLQwenImage21
from PIL import Image

from recipes.mini.backgrounds import COLOUR_NAMES
from recipes.mini.composer import Composer, to_uint8
from recipes.mini.condition import PIXEL_MEAN, PIXEL_STD
from recipes.mini.objects import NAMES
from recipes.mini.run import RECIPE, Run
from recipes.mini.scenes import Scene, stand
from recipes.mini.settings import load_settings
from recipes.mini.tokenizer import save_tokenizer
from recipes.mini.vae import build_vae
from recipes.mini.world import World

BUNDLED = Path(__file__).parents[2] / "src" / "overpaint" / "bundled"
SHARD = "12MB"
BASE_SHIFT, MAX_SHIFT = 0.5, 1.15
# Name -> background, and who stands where; the first three are within the plain world.
SAMPLES: dict[str, tuple[str, dict[str, str]]] = {
    "apple-and-dog": ("blue", {"apple": "left", "dog": "right"}),
    "cat-on-yellow": ("yellow", {"cat": "left"}),
    "rocket-on-white": ("white", {"rocket": "center"}),
    "car-and-tree": ("sky", {"car": "left", "tree": "right"}),
    "owl-and-book": ("wood", {"owl": "left", "book": "right"}),
}


def sample_scenes(world: World) -> dict[str, Scene]:
    """Pictures to try edits on, as far as the world has what is on them."""
    scenes: dict[str, Scene] = {}
    for name, (background, places) in SAMPLES.items():
        things = {NAMES.index(thing): place for thing, place in places.items()}
        if max(things) < world.things and (world.rich or background in COLOUR_NAMES):
            size = world.size(len(things))
            scenes[name] = Scene(background, tuple(stand(thing, place, size) for thing, place in things.items()))
    return scenes


def pipeline_index(resolution: int) -> dict[str, Any]:
    """`model_index.json`: the components, and the native resolution a loader should use."""
    return {
        "_class_name": "QwenImage21Pipeline",
        "_diffusers_version": "0.42.1",
        "processor": ["transformers", "Qwen3VLProcessor"],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "Qwen3VLForConditionalGeneration"],
        "transformer": ["diffusers", "QwenImage21Transformer2DModel"],
        "vae": ["diffusers", "AutoencoderKLQwenImage21"],
        "sample_sigmas": None,
        "output_resolution": resolution,
        "default_steps": 20,
    }


def scheduler_config() -> dict[str, Any]:
    return {
        "_class_name": "FlowMatchEulerDiscreteScheduler",
        "_diffusers_version": "0.42.1",
        "num_train_timesteps": 1000,
        "shift": 1.0,
        "use_dynamic_shifting": True,
        "base_shift": BASE_SHIFT,
        "max_shift": MAX_SHIFT,
        "base_image_seq_len": 256,
        "max_image_seq_len": 4096,
        "time_shift_type": "exponential",
        "shift_terminal": None,
        "invert_sigmas": False,
        "stochastic_sampling": False,
        "use_beta_sigmas": False,
        "use_exponential_sigmas": False,
        "use_karras_sigmas": False,
    }


def preprocessor_config() -> dict[str, Any]:
    """The picture half of the processor: 16 pixel patches, merged 2 x 2, small sides allowed."""
    return {
        "image_processor_type": "Qwen2VLImageProcessorFast",
        "processor_class": "Qwen3VLProcessor",
        "size": {"shortest_edge": 32 * 32, "longest_edge": 1024 * 1024},
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": list(PIXEL_MEAN),
        "image_std": list(PIXEL_STD),
        "do_resize": True,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "do_convert_rgb": True,
        "resample": 3,
    }


def write_json(value: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def load_vae(run: Run) -> AutoencoderKLQwenImage21:
    """The closed-form autoencoder, with the decoder trained further when there is one."""
    vae = build_vae(run.code.to("cpu"))
    trained = run.trained_decoder()
    if trained is not None:
        vae.decoder.load_state_dict(torch.load(trained, map_location="cpu")["ema"])
    return vae.eval().requires_grad_(False)


def export(run: Run, target: Path) -> None:
    """Write every component below `target`, replacing what was there."""
    for part in ("transformer", "text_encoder", "vae", "processor", "scheduler"):
        shutil.rmtree(target / part, ignore_errors=True)
    model = run.averaged().model.cpu().to(torch.bfloat16)
    model.transformer.save_pretrained(target / "transformer", max_shard_size=SHARD)
    model.text_encoder.save_pretrained(target / "text_encoder", max_shard_size=SHARD)
    (target / "text_encoder" / "generation_config.json").unlink(missing_ok=True)
    load_vae(run).to(torch.bfloat16).save_pretrained(target / "vae", max_shard_size=SHARD)
    save_tokenizer(run.tokenizer, target / "processor")
    write_json(preprocessor_config(), target / "processor" / "preprocessor_config.json")
    write_json(scheduler_config(), target / "scheduler" / "scheduler_config.json")
    write_json(pipeline_index(run.settings.world.side), target / "model_index.json")
    write_json({"world": run.settings.world.name, "guidance": run.settings.guidance}, target / RECIPE)


def write_samples(world: World, folder: Path) -> None:
    """Source pictures for trying edits."""
    folder.mkdir(parents=True, exist_ok=True)
    scenes = sample_scenes(world)
    pictures = to_uint8(Composer(side=world.side).paint(list(scenes.values()))).permute(0, 2, 3, 1)
    for name, pixels in zip(scenes, pictures, strict=True):
        Image.fromarray(pixels.numpy(), "RGBA").save(folder / f"{name}.png", optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="the run's, in recipes/mini/configs")
    target = "folder to write; what ships is replaced without it. Samples go beside it"
    parser.add_argument("--target", type=Path, default=BUNDLED / "overpaint-mini", help=target)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = load_settings(arguments.config)
    export(Run(settings), arguments.target)
    write_samples(settings.world, arguments.target.parent / "samples")
    files = sorted(arguments.target.rglob("*.safetensors"))
    print(json.dumps({str(f.relative_to(arguments.target)): f.stat().st_size for f in files}))


if __name__ == "__main__":
    main()

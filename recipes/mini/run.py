"""A run: its folder, its device, what it takes from its world, and how its networks are built.

Knows nothing of how they are trained.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from recipes.mini.composer import Composer
from recipes.mini.fixed import load_code, load_tokenizer
from recipes.mini.losses import Heads, Networks
from recipes.mini.networks import MiniModel, build_model
from recipes.mini.settings import Settings
from recipes.mini.tokenizer import Prompts, special_ids
from recipes.mini.vae import PatchCode

STATE, DECODER, RECIPE = "state.pt", "decoder.pt", "recipe.json"
COMPONENTS = ("text_encoder", "transformer")


def pick_device(name: str) -> torch.device:
    if name != "auto":
        return torch.device(name)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_dtype(device: torch.device) -> torch.dtype:
    """What to compute in, by the engine's rule: bfloat16 where the device multiplies in it, else float32.

    Emulated, bfloat16 takes ten times as long. Written down here once more, because a machine that only trains does
    not have the package installed.
    """
    if device.type != "cpu":
        return torch.bfloat16
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    able = any(getattr(torch.cpu, probe, lambda: False)() for probe in probes)
    return torch.bfloat16 if able else torch.float32


def save_atomically(value: Any, path: Path) -> None:
    """Write beside the file, then rename: a crash leaves the old one."""
    beside = path.with_suffix(".part")
    torch.save(value, beside)
    beside.replace(path)


class Run:
    """The fixed parts of a run."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.device = pick_device(settings.device)
        self.folder = settings.folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.composer = Composer(self.device, settings.world.side)
        self.tokenizer = load_tokenizer(settings.world)
        self.code = load_code(settings.world).to(self.device)
        self.prompts = Prompts(self.tokenizer, settings.grid)

    def build(self) -> MiniModel:
        """The networks with fresh weights, in fp32."""
        torch.manual_seed(self.settings.seed)
        special = special_ids(self.tokenizer)
        model = build_model(self.settings.sizes, self.settings.grid, self.tokenizer.get_vocab_size(), special)
        return model.to(self.device)

    def networks(self) -> Networks:
        """What is trained: the networks and their auxiliary heads."""
        return Networks(self.build(), Heads(self.settings.sizes).to(self.device))

    @property
    def has_state(self) -> bool:
        """Whether anything was trained yet."""
        return (self.folder / STATE).exists()

    def averaged(self) -> Networks:
        """The averaged weights of the run's last state."""
        return self._averaged(self.folder)

    def teacher(self) -> tuple[Networks, float]:
        """The averaged weights of the teacher, and the guidance that was learned into them (1: none).

        Raises:
            ValueError: a checkpoint of another world.
        """
        folder, world = self.settings.teacher_folder, self.settings.world.name
        if (folder / STATE).exists():
            return self._averaged(folder), 1.0
        networks, recipe = self.networks(), read_recipe(folder)
        if recipe["world"] != world:
            raise ValueError(f"teacher: {folder} knows the {recipe['world']} world, not the {world} one")
        load_checkpoint(networks, folder)
        return networks.requires_grad_(False).eval(), recipe["guidance"]

    def _averaged(self, folder: Path) -> Networks:
        networks = self.networks()
        networks.load_state_dict(torch.load(folder / STATE, map_location=self.device)["ema"])
        return networks.requires_grad_(False).eval()

    def trained_decoder(self) -> Path | None:
        """The state of the decoder's training: the run's own, or its teacher's; None before there is one."""
        folders = [self.folder, *([self.settings.teacher_folder] if self.settings.teacher else [])]
        return next((folder / DECODER for folder in folders if (folder / DECODER).exists()), None)


def read_recipe(checkpoint: Path) -> dict[str, Any]:
    """What an exported checkpoint says of its making: its `world`, and the `guidance` in its weights."""
    recipe: dict[str, Any] = json.loads((checkpoint / RECIPE).read_text())
    return recipe


def load_checkpoint(networks: Networks, checkpoint: Path) -> list[str]:
    """Take over the weights of an exported checkpoint where shapes agree; returns what was left out."""
    found: dict[str, torch.Tensor] = {}
    for component in COMPONENTS:
        for file in sorted((checkpoint / component).glob("*.safetensors")):
            found |= {f"model.{component}.{name}": tensor.float() for name, tensor in load_file(file).items()}
    wanted = networks.state_dict()
    fitting = {name: tensor for name, tensor in found.items() if name in wanted and wanted[name].shape == tensor.shape}
    networks.load_state_dict(fitting, strict=False)
    return sorted(found.keys() - fitting.keys())


@torch.no_grad()
def carry_over(model: MiniModel, old: PatchCode, new: PatchCode) -> None:
    """Make weights that know the latents of one code read and write those of another, as far as both overlap.

    Latents of one code become pixels and latents of the other by one matrix; it goes into the two layers
    that touch latents.
    """
    reads, writes = model.transformer.img_in, model.transformer.proj_out
    shared = old.basis @ new.basis.T  # (64, 64): the old components of the new ones
    back = shared * new.scale / old.scale[:, None]
    forth = shared.T * old.scale / new.scale[:, None]
    reads.weight.copy_(reads.weight @ back)
    writes.weight.copy_(forth @ writes.weight)

"""What all runs of a world share, made once and kept in `assets/<world>/`: the tokenizer and the patch code.

    python -m recipes.mini.fixed --world full
    python -m recipes.mini.fixed --world wide --words-of plain   # the same tokens, for the same weights

Weights mean nothing without the very same two, so they are files under version control, not made again
by every run. Knows nothing of networks.
"""

from __future__ import annotations

import argparse

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from recipes.mini.composer import Composer
from recipes.mini.objects import ASSETS
from recipes.mini.tokenizer import train_tokenizer
from recipes.mini.vae import PatchCode, fit_code
from recipes.mini.world import WORLDS, World

PARTS = ("mean", "basis", "std", "scale")


def load_tokenizer(world: World) -> Tokenizer:
    return Tokenizer.from_file(str(ASSETS / world.name / "tokenizer.json"))


def load_code(world: World) -> PatchCode:
    parts = load_file(ASSETS / world.name / "code.safetensors")
    return PatchCode(*(parts[name] for name in PARTS))


def make(world: World, words_of: World | None, pictures: int) -> None:
    """Write both files, replacing those that are there."""
    folder = ASSETS / world.name
    folder.mkdir(exist_ok=True)
    tokenizer = load_tokenizer(words_of) if words_of else train_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    save_code(world, fit_code(world, Composer(side=world.side), pictures))


def save_code(world: World, code: PatchCode) -> None:
    parts = {name: getattr(code, name).contiguous() for name in PARTS}
    save_file(parts, ASSETS / world.name / "code.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", choices=WORLDS, required=True)
    parser.add_argument("--words-of", choices=WORLDS, help="take that world's tokenizer instead of making one")
    parser.add_argument("--pictures", type=int, default=3000, help="how many the principal components are taken from")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make(WORLDS[arguments.world], WORLDS.get(arguments.words_of), arguments.pictures)


if __name__ == "__main__":
    main()

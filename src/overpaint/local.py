"""`Overpaint`: the engine as one Python object, for notebooks and scripts. Takes and gives PIL images.

    with Overpaint() as painter:
        [image] = painter.edit("replace the apple with a banana", ["apple.png"], seed=1)

Knows no terminal. Every argument means what the command line's flag of that name means.
"""

import gc
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Never, Self
from weakref import finalize

from PIL import Image

from overpaint import arguments
from overpaint.arguments import AnyImage, AnyLoras
from overpaint.compose.engine import open_engine
from overpaint.core.config import ModelConfig
from overpaint.core.errors import BackendError
from overpaint.core.model_info import ModelInfo
from overpaint.core.ports import WritingEngine
from overpaint.core.request import RANDOM_SEED, Background, GenerationRequest, OutputSpec
from overpaint.core.result import GenerationResult
from overpaint.images.metadata import KEY, as_json, recipe_of
from overpaint.images.pil import to_pil
from overpaint.painting import Watcher, paint
from overpaint.settings import read_model_config
from overpaint.version import __version__

_ONE_EACH = "an Overpaint stays in the process that opened it; open one in each"


class Overpaint:
    """A loaded checkpoint that paints and edits.

    Args:
        model: folder or hub id of a checkpoint; None is `OVERPAINT_MODEL`, else the bundled one.
        device: auto, cuda, cuda:N, mps or cpu; None is `OVERPAINT_DEVICE`, else auto.
        dtype: auto, bfloat16, float16 or float32; None is `OVERPAINT_DTYPE`, else auto.
        memory: auto, resident or offload; None is `OVERPAINT_MEMORY`, else auto.
        weights: bf16, fp8, int8 or int4; None is `OVERPAINT_WEIGHTS`, else bf16.
        transformer: GGUF file of the transformer's weights; None is `OVERPAINT_TRANSFORMER`, else the checkpoint's own.

    Raises:
        ConfigError: the checkpoint or the device cannot be used.
    """

    def __init__(
        self,
        model: str | Path | None = None,
        device: str | None = None,
        dtype: str | None = None,
        *,
        memory: str | None = None,
        weights: str | None = None,
        transformer: str | Path | None = None,
    ) -> None:
        given = {
            "model": None if model is None else str(model),
            "device": device,
            "dtype": dtype,
            "memory": memory,
            "weights": weights,
            "transformer": None if transformer is None else Path(transformer),
        }
        self._engine = _opened(read_model_config(given))
        self._process = os.getpid()
        # Closed at the program's end at the latest: a thread that is inside torch when the interpreter goes aborts it.
        self._close = finalize(self, _close, self._engine, self._process)

    @property
    def info(self) -> ModelInfo:
        """The loaded checkpoint."""
        return self._engine.info

    def generate(
        self,
        prompt: str,
        *,
        size: str | Sequence[int] | None = None,
        seed: int = RANDOM_SEED,
        steps: int | None = None,
        negative_prompt: str | None = None,
        true_cfg_scale: float = 1.0,
        num_images: int = 1,
        background: Background = "auto",
        loras: AnyLoras | None = None,
        watch: Watcher | None = None,
    ) -> list[Image.Image]:
        """Paint from words alone; see `edit` for the arguments."""
        return self.edit(
            prompt,
            (),
            size=size,
            seed=seed,
            steps=steps,
            negative_prompt=negative_prompt,
            true_cfg_scale=true_cfg_scale,
            num_images=num_images,
            background=background,
            loras=loras,
            watch=watch,
        )

    def edit(
        self,
        prompt: str,
        images: AnyImage | Iterable[AnyImage],
        *,
        mask: AnyImage | None = None,
        size: str | Sequence[int] | None = None,
        seed: int = RANDOM_SEED,
        steps: int | None = None,
        negative_prompt: str | None = None,
        true_cfg_scale: float = 1.0,
        num_images: int = 1,
        background: Background = "auto",
        loras: AnyLoras | None = None,
        watch: Watcher | None = None,
    ) -> list[Image.Image]:
        """Paint from words and pictures.

        Args:
            prompt: what to change, or what to make of the pictures.
            images: up to 10 pictures in the order the prompt counts them: PIL images, paths, or bytes of a file.
            mask: white where the first picture may change; what is black stays the same to the byte.
            size: ``"512x512"``, ``(512, 512)`` (width, height in pixels), ``"16:9"``, or None for the last
                picture's shape.
            seed: 0..2147483647, or -1 for a fresh one; picture `i` uses ``seed + i``.
            steps: 1..200, or None for the checkpoint's own.
            negative_prompt: what to steer away from, with `true_cfg_scale` above 1.
            true_cfg_scale: 1..30; 1 is no guidance.
            num_images: 1..6.
            background: auto, opaque or transparent.
            loras: LoRA files with their scales (``{"pencil.safetensors": 0.8}``), up to 4; 1 is as trained.
            watch: told every event while it paints.

        Returns:
            RGB or RGBA images; ``image.info["overpaint"]`` is a JSON text with the seed and all that repeats it.

        Raises:
            RequestError: an argument breaks its rule.
        """
        if os.getpid() != self._process:
            raise BackendError(_ONE_EACH)  # of the engine's thread a fork has no copy, and nobody would ever answer
        request = GenerationRequest(
            prompt=arguments.text("prompt", prompt),
            pictures=arguments.pictures(images),
            mask=None if mask is None else arguments.picture("mask", mask),
            size=arguments.size(size),
            seed=arguments.whole("seed", seed),
            steps=None if steps is None else arguments.whole("steps", steps),
            negative_prompt=None if negative_prompt is None else arguments.text("negative_prompt", negative_prompt),
            true_cfg_scale=arguments.real("true_cfg_scale", true_cfg_scale),
            num_images=arguments.whole("num_images", num_images),
            adapters=arguments.loras(loras),
            output=OutputSpec(background=background),
        )
        return _images_of(request, paint(self._engine, request, watch))

    def close(self) -> None:
        """Free the device; can be called twice, and happens by itself when nobody holds this any more."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> Never:
        raise TypeError(f"cannot be copied or pickled: {_ONE_EACH}")


def _close(engine: WritingEngine, process: int) -> None:
    """In the process that opened it; a fork has neither the engine's thread nor, maybe, its locks in order."""
    if os.getpid() == process:
        engine.close()


def _opened(model: ModelConfig) -> WritingEngine:
    """An engine, without what its imports leave behind in a program that is not ours.

    What was garbage then is frozen with the modules (compose.imports): also the program's own, and frames that hold
    the object which is being made.
    """
    try:
        return open_engine(model)
    finally:
        if gc.get_freeze_count():
            gc.unfreeze()
            gc.collect()


def _images_of(request: GenerationRequest, result: GenerationResult) -> list[Image.Image]:
    software = f"overpaint {__version__}"
    images = [to_pil(painted.picture) for painted in result.images]
    for place, image in enumerate(images):
        image.info[KEY] = as_json(recipe_of(request, result, place, software))
    return images

import copy
import gc
import io
import json
import os
import pickle
import re
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import overpaint
from overpaint import Overpaint
from overpaint.compose.engine import open_engine
from overpaint.compose.imports import large_imports
from overpaint.core.config import ModelConfig
from overpaint.core.errors import BackendError, PictureError, RequestError
from overpaint.core.events import Event, Progress
from overpaint.core.ports import WritingEngine
from tests.reference.lora_bytes import lora_bytes


def test_the_package_exports_what_it_says() -> None:
    assert all(hasattr(overpaint, name) for name in overpaint.__all__)
    with pytest.raises(AttributeError):
        _ = overpaint.nothing  # pyright: ignore[reportAttributeAccessIssue]


def test_generate_gives_images_that_know_their_seed() -> None:
    with Overpaint("null:") as painter:
        images = painter.generate("a cat", size="256x128", seed=3, num_images=2)
        assert painter.info.name == "null"
    assert [image.size for image in images] == [(256, 128)] * 2
    assert [json.loads(image.info["overpaint"])["seed"] for image in images] == [3, 4]


@pytest.mark.parametrize("kind", ["pil", "path", "text", "bytes"])
def test_edit_takes_pictures_as_they_come(kind: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (200, 100), "teal")
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    path = tmp_path / "in.png"
    path.write_bytes(buffer.getvalue())
    given: dict[str, Any] = {"pil": image, "path": path, "text": str(path), "bytes": buffer.getvalue()}
    with Overpaint("null:") as painter:
        [several] = painter.edit("make it red", [given[kind]], seed=1)
        [alone] = painter.edit("make it red", given[kind], seed=1, size=(256, 128))
    assert several.width > several.height
    assert alone.size == (256, 128)


def test_loras_are_files_with_their_scales(tmp_path: Path) -> None:
    path = tmp_path / "pencil.safetensors"
    path.write_bytes(lora_bytes({"transformer_blocks.0.attn.to_q": (4, 4)}))
    with Overpaint("null:") as painter:
        [plain], [drawn] = (painter.generate("a cat", seed=1, loras=loras) for loras in (None, {path: 0.8}))
        with pytest.raises(RequestError, match=r"loras: .* cannot be read"):
            painter.generate("a cat", loras={tmp_path / "ink.safetensors": 1.0})
    assert plain.tobytes() != drawn.tobytes()
    assert json.loads(drawn.info["overpaint"])["adapters"][0].startswith("pencil:0.8:")


def test_what_is_no_picture_is_refused_by_its_place() -> None:
    with Overpaint("null:") as painter, pytest.raises(PictureError, match=r"images\[1\]: 'float'"):
        painter.edit("x", [Image.new("RGB", (20, 20)), 1.5])  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    "given", [None, 3, io.BytesIO(b"x"), bytearray(b"x"), memoryview(b"x")], ids=lambda given: type(given).__name__
)
def test_one_thing_that_is_no_picture_is_called_by_its_kind(given: Any) -> None:
    with Overpaint("null:") as painter, pytest.raises(PictureError, match=rf"images\[0\]: '{type(given).__name__}'"):
        painter.edit("x", given)


def test_numbers_may_be_numpys() -> None:
    with Overpaint() as painter:
        [image] = painter.generate(
            "x",
            size=(np.int64(128), np.int64(128)),  # pyright: ignore[reportArgumentType]
            seed=np.int64(3),  # pyright: ignore[reportArgumentType]
            steps=np.int32(1),  # pyright: ignore[reportArgumentType]
            num_images=np.int64(1),  # pyright: ignore[reportArgumentType]
            true_cfg_scale=np.float32(1.5),  # pyright: ignore[reportArgumentType]
        )
        [same] = painter.generate("x", size=[128, 128], seed=3, steps=1, true_cfg_scale=1.5)
    assert image.tobytes() == same.tobytes()
    assert json.loads(image.info["overpaint"])["true_cfg_scale"] == 1.5


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("seed", None, "seed: None must be a whole number"),
        ("steps", 2.5, "steps: 2.5 must be a whole number"),
        ("num_images", "2", "num_images: '2' must be a whole number"),
        ("true_cfg_scale", "much", "true_cfg_scale: 'much' must be a number"),
        ("size", (128,), "must be a width and a height, or a text such as '512x512'"),
        ("size", (128.0, 128.0), "size: 128.0 must be a whole number"),
        ("size", 128, "size: 128 must be a width and a height"),
        ("prompt", None, "prompt: None must be text"),
        ("prompt", b"a cat", "prompt: b'a cat' must be text"),
        ("negative_prompt", 5, "negative_prompt: 5 must be text"),
        ("loras", ["pencil.safetensors"], "loras: 'list' must map files to scales"),
        ("loras", "pencil.safetensors", "loras: 'str' must map files to scales"),
        ("loras", {"pencil.safetensors": None}, "loras: None must be a number"),
        ("loras", {1: 1.0}, "loras: 1 must be a path"),
        ("loras", {str(place): 1.0 for place in range(5)}, "loras: 5 are too many"),
    ],
)
def test_what_is_of_the_wrong_kind_is_told_by_its_name(name: str, value: Any, rule: str) -> None:
    arguments: dict[str, Any] = {"prompt": "x", name: value}
    with Overpaint("null:") as painter, pytest.raises(RequestError, match=re.escape(rule)):
        painter.generate(**arguments)


def test_a_scale_that_is_out_of_bounds_is_the_loras(tmp_path: Path) -> None:
    path = tmp_path / "pencil.safetensors"
    path.write_bytes(lora_bytes({"transformer_blocks.0.attn.to_q": (4, 4)}))
    with Overpaint("null:") as painter, pytest.raises(RequestError, match=r"loras: 9\.0 must have a scale of -4 to 4"):
        painter.generate("x", loras={path: 9})


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_it_is_neither_copied_nor_pickled(duplicate: Callable[[object], object]) -> None:
    with Overpaint("null:") as painter, pytest.raises(TypeError, match="open one in each"):
        duplicate(painter)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_fork_is_told_and_leaves_the_engine_to_the_process_that_opened_it() -> None:
    with Overpaint("null:") as painter:
        child = os.fork()
        if child == 0:
            try:
                painter.close()
                painter.generate("a cat", size="64x64", steps=1)
            except BackendError as error:
                os._exit(7 if "open one in each" in error.message else 1)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert painter.generate("a cat", size="64x64", steps=1)


def test_what_was_garbage_at_the_imports_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames that call for an engine are in such garbage, and the first object of a program was never freed."""
    held: list[weakref.ref[Overpaint]] = []

    def import_all(config: ModelConfig) -> WritingEngine:
        def leave_garbage() -> None:
            frame = sys._getframe()
            frame.f_locals["cycle"] = frame

        with large_imports():
            leave_garbage()
        return open_engine(config)

    monkeypatch.setattr("overpaint.local.open_engine", import_all)
    painter = Overpaint("null:")
    held.append(weakref.ref(painter))
    del painter
    assert held[0]() is None
    assert not gc.get_freeze_count()


def test_a_bad_argument_is_told_like_a_bad_flag() -> None:
    with Overpaint("null:") as painter, pytest.raises(RequestError, match="steps: 0 must be 1 to 200"):
        painter.generate("x", steps=0)


def test_the_watcher_sees_the_steps() -> None:
    seen: list[Event] = []
    with Overpaint("null:") as painter:
        painter.generate("x", size="64x64", steps=2, watch=seen.append)
    assert max(event.step for event in seen if isinstance(event, Progress)) == 2


class _Interrupted(KeyboardInterrupt):
    pass


def _interrupt(_event: Event) -> None:
    raise _Interrupted


@pytest.mark.parametrize("model", ["null:", None])
def test_who_is_interrupted_leaves_no_pictures_behind(model: str | None) -> None:
    with Overpaint(model, device="cpu") as painter:
        with pytest.raises(_Interrupted):
            painter.edit("make it red", Image.new("RGB", (64, 64)), steps=1, size="64x64", watch=_interrupt)
        engine: Any = painter._engine
        assert not (engine._tasks if model else engine._book._entries)

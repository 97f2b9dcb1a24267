"""Where a checkpoint is, and what it says of itself, as people have it on their disks."""

import json
import os
import shutil
from pathlib import Path

import pytest

from overpaint.core import CheckpointError
from overpaint.model.checkpoint_files import check_descriptions, find, locate, read_index


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


@pytest.fixture
def snapshot(folder: Path, tmp_path: Path) -> Path:
    """The checkpoint as the hub's cache has it."""
    return Path(shutil.copytree(folder, tmp_path / "models--someone--painter" / "snapshots" / ("0" * 40)))


def test_a_snapshot_is_called_by_its_hub_id(snapshot: Path) -> None:
    assert locate(str(snapshot)) == ("someone/painter", snapshot)


@pytest.mark.parametrize("given", ["", "transformer", ".."])
def test_a_folder_near_a_checkpoint_is_told_which_is_one(copy: Path, given: str) -> None:
    (folder := (copy / given).resolve()).mkdir(exist_ok=True)
    if folder == copy:
        read_index(folder)
        return
    with pytest.raises(CheckpointError) as raised:
        read_index(folder)
    assert raised.value.problem == f"has no model_index.json; give {copy}, which has one"


def test_the_hubs_cache_of_a_checkpoint_is_told_which_snapshot_it_has(snapshot: Path) -> None:
    with pytest.raises(CheckpointError, match=f"give {snapshot}, which has one"):
        read_index(snapshot.parents[1])


@pytest.mark.parametrize("source", ["~nobody-of-this-name/qwen", "/tmp/" + 300 * "x"])
def test_a_path_that_cannot_be_one_is_told_of(source: str) -> None:
    for look in (locate, find):
        with pytest.raises(CheckpointError, match="cannot be looked at"):
            look(source)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may look everywhere")
def test_a_folder_that_is_closed_to_us_is_told_of(copy: Path) -> None:
    copy.parent.chmod(0)
    try:
        with pytest.raises(CheckpointError, match="cannot be looked at: permission denied"):
            locate(str(copy))
    finally:
        copy.parent.chmod(0o700)


def test_what_transformers_5_saves_of_a_processor_is_enough(copy: Path) -> None:
    """It has the image processor's description inside the processor's, in one file."""
    old = copy / "processor" / "preprocessor_config.json"
    described = json.loads(old.read_text())
    (copy / "processor" / "processor_config.json").write_text(json.dumps({"image_processor": described}))
    old.unlink()
    check_descriptions(copy)


@pytest.mark.parametrize("name", ["tokenizer.json", "preprocessor_config.json"])
def test_a_processor_without_words_or_pictures_is_named(copy: Path, name: str) -> None:
    (copy / "processor" / name).unlink()
    with pytest.raises(CheckpointError, match=rf"processor/{name} is missing; download"):
        check_descriptions(copy)

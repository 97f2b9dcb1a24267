"""Several processes may keep adapters in one folder."""

from pathlib import Path

from overpaint.lora.cache import AdapterCache
from tests.unit.lora.keeping import kept


def test_a_file_that_another_process_takes_away_meanwhile_fails_nobody(tmp_path: Path) -> None:
    """It is listed and gone when it is looked at; the upload that was kept just then was refused."""
    for name in ("gone.safetensors", "gone.part"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    digest, path = kept(AdapterCache(tmp_path, 2), b"abc")
    assert path.read_bytes() == b"abc"
    assert AdapterCache(tmp_path, 2).find(digest) == path

"""The folder of a server's data."""

import errno
import os
from pathlib import Path

import pytest

from overpaint.compose.data_dir import SECRET_BYTES, link_secret, make_data_dir
from overpaint.core.errors import ConfigError


def test_the_secret_of_links_outlives_a_restart_and_is_nobody_elses(tmp_path: Path) -> None:
    secret = link_secret(tmp_path)
    assert len(secret) == SECRET_BYTES
    assert link_secret(tmp_path) == secret
    assert (tmp_path / "link-secret").stat().st_mode & 0o077 == 0
    assert [path.name for path in tmp_path.iterdir()] == ["link-secret"]


def test_an_end_in_the_middle_leaves_no_half_a_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty one once kept every later start from coming up."""

    def end(_: int) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", end)
        with pytest.raises(SystemExit):
            link_secret(tmp_path)
    assert not (tmp_path / "link-secret").exists()
    assert len(link_secret(tmp_path)) == SECRET_BYTES


def test_of_two_servers_that_begin_at_once_both_take_the_first_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, theirs = os.link, b"f" * SECRET_BYTES

    def link_late(source: Path, target: Path) -> None:
        target.write_bytes(theirs)
        link(source, target)

    monkeypatch.setattr(os, "link", link_late)
    assert link_secret(tmp_path) == theirs


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    assert len({link_secret(tmp_path) for _ in range(3)}) == 1


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(ConfigError, match=rf"data_dir: '{tmp_path}' cannot be used \(no space left on device\)"):
        link_secret(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"data_dir: .*cannot be made"):
        make_data_dir(tmp_path / "file" / "data")


def test_the_folder_is_closed_to_other_users_when_it_is_made_here(tmp_path: Path) -> None:
    made, found = tmp_path / "new" / "data", tmp_path / "found"
    found.mkdir(mode=0o755)
    make_data_dir(made)
    make_data_dir(found)
    assert [path.stat().st_mode & 0o777 for path in (made, found)] == [0o700, 0o755]

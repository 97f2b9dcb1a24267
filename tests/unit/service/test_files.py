"""Files that callers bring."""

import io
import threading

import pytest
from PIL import Image

from overpaint.core.errors import PictureError
from overpaint.images.header import Header
from overpaint.outputs.memory import MemoryOutputs
from overpaint.service import files as module
from overpaint.service.files import Files, media_type_of
from tests.unit.service.world import png

pytestmark = pytest.mark.anyio


async def test_an_upload_is_looked_at_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at_in: list[int] = []

    def read_header(data: bytes) -> Header:
        looked_at_in.append(threading.get_ident())
        return Header("PNG", 64, len(data) and 48)

    monkeypatch.setattr(module, "read_header", read_header)
    stored = await Files(MemoryOutputs()).upload("uploads/k/a", png())
    assert (stored.media_type, stored.width, stored.height) == ("image/png", 64, 48)
    assert looked_at_in
    assert threading.get_ident() not in looked_at_in


@pytest.mark.parametrize("data", [b"\xff\xd8" + b"\xff" * 100_000, b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100_000])
async def test_a_jpeg_that_hides_its_sides_is_not_readable(data: bytes) -> None:
    with pytest.raises(PictureError, match="damaged or cut off"):
        await Files(MemoryOutputs()).upload("uploads/k/a", data)


async def test_a_photograph_with_much_about_it_is_still_a_photograph() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", icc_profile=bytes(200_000))
    assert media_type_of(buffer.getvalue()) == "image/jpeg"

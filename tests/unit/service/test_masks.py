"""What a mask means: white, holes, or whichever of the two the file has."""

import io

import pytest
from PIL import Image

from overpaint.core.errors import RequestError
from overpaint.images.decode import decode_picture
from overpaint.service.draft import MaskMeaning, PictureBytes
from tests.unit.service.world import World, png

pytestmark = pytest.mark.anyio


def holed() -> bytes:
    """Black and opaque, but transparent in its left half and half so in one more column."""
    image = Image.new("RGBA", (64, 48), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 32, 48))
    image.paste((0, 0, 0, 128), (32, 0, 33, 48))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("meaning", ["holes", "either"])
async def test_holes_become_white(world: World, meaning: MaskMeaning) -> None:
    task = await world.submit(
        pictures=(PictureBytes(png()),), mask=PictureBytes(holed()), mask_meaning=meaning, size=None
    )
    assert task.spec.mask is not None
    mask = decode_picture((await world.service.files.read(task.spec.mask.key)).data)
    image = Image.frombytes(mask.mode, (mask.width, mask.height), mask.data).convert("L")
    assert [image.getpixel((x, 5)) for x in (0, 31, 32, 33, 63)] == [255, 255, 127, 0, 0]
    outside = Image.open(io.BytesIO(await _painted(world, task.id))).convert("RGB").getpixel((63, 5))
    assert outside == (255, 0, 0), "the picture is red, and its right half was to stay"


@pytest.mark.parametrize("meaning", ["white", "either"])
async def test_an_opaque_mask_is_read_by_its_brightness(world: World, meaning: MaskMeaning) -> None:
    white = PictureBytes(png(color="white"))
    task = await world.submit(pictures=(PictureBytes(png()),), mask=white, mask_meaning=meaning)
    assert task.spec.mask is not None
    assert (await world.service.files.read(task.spec.mask.key)).data == white.data


async def test_a_mask_without_holes_is_refused_where_holes_are_meant(world: World) -> None:
    with pytest.raises(RequestError, match=r"^mask: .* must be transparent"):
        await world.submit(pictures=(PictureBytes(png()),), mask=PictureBytes(png(color="white")), mask_meaning="holes")


async def _painted(world: World, task_id: str) -> bytes:
    task = await world.done(await world.service.tasks.get(world.caller, task_id))
    return (await world.service.files.read(task.outputs[0].file.key)).data

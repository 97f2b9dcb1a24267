"""Every kind of file we say we take, made on the spot, and every way a file can be bad."""

import contextlib
import io
import os
import struct
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from overpaint.core.errors import PictureError
from overpaint.core.picture import Picture
from overpaint.images.decode import decode_picture, read_picture, take_pil
from overpaint.images.limits import PictureLimits
from overpaint.images.pil import to_pil
from tests.conftest import PictureBytes

RED = (200, 40, 30)

# Pillow warns about damaged metadata that it then skips.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def save(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def first_pixel(picture: Picture) -> tuple[int, ...]:
    return tuple(picture.data[: len(picture.mode)])


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_the_four_formats_are_told_apart_by_content(file_format: str, picture_bytes: PictureBytes) -> None:
    picture = decode_picture(picture_bytes(file_format, color=RED), name="picture.txt")
    assert (picture.width, picture.height, picture.mode) == (40, 30, "RGB")
    assert first_pixel(picture) == pytest.approx(RED, abs=6)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("alpha", [True, False])
def test_all_three_webp_layouts_are_read(lossless: bool, alpha: bool, picture_bytes: PictureBytes) -> None:
    mode, color = ("RGBA", (*RED, 90)) if alpha else ("RGB", RED)
    picture = decode_picture(picture_bytes("WEBP", mode, color=color, lossless=lossless))
    assert (picture.width, picture.height, picture.mode) == (40, 30, mode)


def test_a_palette_keeps_its_transparent_entry() -> None:
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, *RED])
    image.putpixel((0, 0), 0)
    picture = decode_picture(save(image, "PNG", transparency=0))
    assert picture.mode == "RGBA"
    assert first_pixel(picture) == (0, 0, 0, 0)
    assert tuple(picture.data[4:8]) == (*RED, 255)


def test_a_palette_without_transparency_is_plain_colour() -> None:
    image = Image.new("RGB", (20, 20), RED).convert("P", palette=Image.Palette.ADAPTIVE)
    assert first_pixel(decode_picture(save(image, "PNG"))) == RED


def test_sixteen_bit_grey_is_scaled_and_not_clipped() -> None:
    samples = np.full((20, 20), 0x8000, dtype=np.uint16)
    assert first_pixel(decode_picture(save(Image.fromarray(samples), "PNG"))) == (127, 127, 127)


def png_by_hand(depth: int, kind: int, row: bytes, *more: tuple[bytes, bytes]) -> bytes:
    """A 16 x 16 PNG of a depth that Pillow does not write, every row the same."""
    header = struct.pack(">2I5B", 16, 16, depth, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), *more, (b"IDAT", zlib.compress((b"\0" + row) * 16)), (b"IEND", b"")]
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_sixteen_bit_colour_is_scaled() -> None:
    row = struct.pack(">3H", 0xFFFF, 0x8000, 0) * 16
    assert first_pixel(decode_picture(png_by_hand(16, 2, row))) == (255, 128, 0)


@pytest.mark.parametrize(
    ("depth", "kind", "row", "transparent"),
    [
        (1, 0, bytes([0b01010101] * 2), (1,)),
        (2, 0, bytes([0b00_01_10_11] * 4), (1,)),
        (4, 0, bytes([0x01] * 8), (1,)),
        (8, 0, bytes([0, 1] * 8), (1,)),
        (16, 2, struct.pack(">6H", 0, 0, 0, 0x1234, 0x5678, 0x9ABC) * 8, (0x1234, 0x5678, 0x9ABC)),
    ],
    ids=["1 bit grey", "2 bit grey", "4 bit grey", "8 bit grey", "16 bit colour"],
)
def test_a_transparent_colour_is_that_of_the_samples_whatever_their_depth(
    depth: int, kind: int, row: bytes, transparent: tuple[int, ...]
) -> None:
    data = png_by_hand(depth, kind, row, (b"tRNS", struct.pack(f">{len(transparent)}H", *transparent)))
    period = 4 if depth == 2 else 2
    opened = Image.open(io.BytesIO(data))
    for picture in (decode_picture(data), take_pil(opened), take_pil(opened)):  # the second time it is loaded
        assert list(picture.data[3::4][:period]) == [255, 0, 255, 255][:period]


def test_sixteen_bit_grey_keeps_its_transparent_level() -> None:
    samples = np.full((20, 20), 1000, dtype=np.uint16)
    samples[0, 0] = 7
    picture = decode_picture(save(Image.fromarray(samples), "PNG", transparency=7))
    assert first_pixel(picture)[3] == 0
    assert picture.data[7] == 255


def test_grey_with_alpha_becomes_colour_with_alpha(picture_bytes: PictureBytes) -> None:
    assert first_pixel(decode_picture(picture_bytes("PNG", "LA", color=(90, 10)))) == (90, 90, 90, 10)


@pytest.mark.parametrize(("mode", "color"), [("L", 90), ("1", 1)])
def test_grey_and_black_and_white_become_colour(mode: str, color: int, picture_bytes: PictureBytes) -> None:
    level = 90 if mode == "L" else 255
    assert first_pixel(decode_picture(picture_bytes("PNG", mode, color=color))) == (level,) * 3


def test_an_alpha_that_hides_nothing_is_dropped(picture_bytes: PictureBytes) -> None:
    assert decode_picture(picture_bytes("PNG", "RGBA", color=(*RED, 255))).mode == "RGB"


def test_cmyk_becomes_colour(picture_bytes: PictureBytes) -> None:
    picture = decode_picture(picture_bytes("JPEG", "CMYK", color=(0, 255, 255, 0)))
    assert first_pixel(picture) == pytest.approx((255, 0, 0), abs=12)


@pytest.mark.parametrize("file_format", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_taken(file_format: str) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in (RED, "blue", "green")]
    data = save(frames[0], file_format, save_all=True, append_images=frames[1:])
    assert first_pixel(decode_picture(data)) == pytest.approx(RED, abs=8)


@pytest.mark.parametrize(("orientation", "sides"), [(1, (40, 20)), (3, (40, 20)), (6, (20, 40)), (8, (20, 40))])
def test_exif_rotation_is_applied(orientation: int, sides: tuple[int, int]) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste(RED, (0, 0, 20, 20))
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode_picture(save(image, "JPEG", exif=exif, quality=95))
    assert (picture.width, picture.height) == sides
    red_corner = {1: (2, 2), 3: (38, 18), 6: (18, 2), 8: (2, 38)}[orientation]
    assert to_pil(picture).getpixel(red_corner) == pytest.approx(RED, abs=12)


@pytest.mark.parametrize("orientation", range(11))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_as_pillow_turns_it(file_format: str, orientation: int) -> None:
    exif, quality = Image.Exif(), {"lossless": True} if file_format == "WEBP" else {}
    exif[0x0112] = orientation
    for options in ({"exif": exif}, {"xmp": f'<x tiff:Orientation="{orientation % 9}"/>'.encode()}):
        data = save(Image.effect_noise((40, 24), 90).convert("RGB"), file_format, **options, **quality)
        turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
        assert to_pil(decode_picture(data)).tobytes() == turned.convert("RGB").tobytes()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(("kind", "form"), [(3, "H2x"), (4, "I"), (2, "4s")])
def test_the_orientation_is_read_in_either_byte_order_and_as_a_number(order: str, kind: int, form: str) -> None:
    start = b"II*\0" if order == "<" else b"MM\0*"
    value = b"6\0\0\0" if kind == 2 else 6
    block = start + struct.pack(f"{order}IHHHI{form}I", 8, 1, 0x0112, kind, 1, value, 0)
    picture = decode_picture(save(Image.new("RGB", (40, 20)), "PNG", exif=b"Exif\0\0" + block))
    assert (picture.width, picture.height) == ((40, 20) if kind == 2 else (20, 40))


def amplifying_exif(num_entries: int = 400, num_bytes: int = 50_000) -> bytes:
    """Every entry points to the same bytes."""
    at = 8 + 2 + 12 * num_entries + 4
    entries = [struct.pack("<HHII", 1000 + tag, 1, num_bytes, at) for tag in range(num_entries)]
    return struct.pack("<2sHIH", b"II", 42, 8, num_entries) + b"".join(entries) + bytes(4 + num_bytes)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "JPEG", "JPEG of several"])
def test_exif_that_points_to_one_thing_many_times_takes_no_room(file_format: str) -> None:
    """A file of two MiB would take a hundred GiB."""
    block, image = amplifying_exif(), Image.new("RGB", (64, 64))
    data = save(image, "JPEG") if "JPEG" in file_format else save(image, file_format, exif=block)
    if "JPEG" in file_format:
        note = b"MPF\0" if "several" in file_format else b"Exif\0\0"
        marker = b"\xff\xe2" if "several" in file_format else b"\xff\xe1"
        data = data[:2] + marker + struct.pack(">H", 2 + len(note) + len(block)) + note + block + data[2:]
    tracemalloc.start()
    try:
        with contextlib.suppress(PictureError):
            decode_picture(data)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_damaged_exif_does_not_spoil_the_picture(picture_bytes: PictureBytes) -> None:
    data = picture_bytes("JPEG", exif=b"Exif\0\0MM\0*\0\0\0\xff garbage")
    assert decode_picture(data).width == 40


def swapped_profile() -> bytes:
    """A profile in which red and green have changed places, so that nobody can overlook whether it was applied."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = profile.index(b"rXYZ"), profile.index(b"gXYZ")
    profile[red : red + 4], profile[green : green + 4] = b"gXYZ", b"rXYZ"  # swap the two primaries
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "wide".encode("utf-16-be"))


def test_an_embedded_profile_is_applied() -> None:
    data = save(Image.new("RGB", (20, 20), (255, 0, 0)), "PNG", icc_profile=swapped_profile())
    assert first_pixel(decode_picture(data)) == pytest.approx((0, 255, 0), abs=4)


def test_an_srgb_profile_changes_no_sample() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = Image.effect_noise((32, 32), 90).convert("RGB")
    assert decode_picture(save(noise, "PNG", icc_profile=profile)).data == noise.tobytes()


def profile_with_curve(exponent: float, *, slope: float | None = None) -> bytes:
    """sRGB's profile with another exponent in its curve; with a slope, `y = (slope x) ^ exponent` and nothing else."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * struct.unpack_from(">I", profile, 128)[0], 12):
        kind, at, _ = struct.unpack_from(">4sII", profile, entry)
        if kind == b"rTRC":  # the same for all three colours
            struct.pack_into(">I", profile, at + 12, round(exponent * 65536))
            if slope is not None:
                struct.pack_into(">3I", profile, at + 16, round(slope * 65536), 0, round(slope * 65536))
    return bytes(profile)


def test_linear_samples_are_not_taken_for_srgb_by_their_profiles_name() -> None:
    """One is called `GIMP built-in Linear sRGB`."""
    profile = profile_with_curve(1.0, slope=1.0)
    assert "sRGB".encode("utf-16-be") in profile
    data = save(Image.new("RGB", (20, 20), (55, 55, 55)), "PNG", icc_profile=profile)
    assert first_pixel(decode_picture(data)) == pytest.approx((128, 128, 128), abs=2)


def test_an_srgb_profile_that_is_called_otherwise_and_rounds_otherwise_changes_no_sample() -> None:
    """Phones and large sites write small ones of their own."""
    profile = profile_with_curve(2.42).replace("sRGB".encode("utf-16-be"), "uRGB".encode("utf-16-be"))
    noise = Image.effect_noise((32, 32), 90).convert("RGB")
    assert decode_picture(save(noise, "PNG", icc_profile=profile)).data == noise.tobytes()


@pytest.mark.parametrize("profile", [b"not a profile", b""])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    data = save(Image.new("RGB", (20, 20), RED), "PNG", icc_profile=profile)
    assert first_pixel(decode_picture(data)) == RED


# --- what is refused --------------------------------------------------------------------------------------------------


def refusal(data: bytes, limits: PictureLimits | None = None) -> str:
    with pytest.raises(PictureError) as caught:
        decode_picture(data, "images[1]", "cat.png", limits)
    assert caught.value.field == "images[1]"
    assert caught.value.value == "cat.png"
    return caught.value.rule


def png_claiming(width: int, height: int) -> bytes:
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in [(b"IHDR", header)]]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_an_empty_file_is_refused() -> None:
    assert refusal(b"") == "is empty"


@pytest.mark.parametrize("data", [b"hello, I am a text", b"BM" + bytes(100), b"RIFF\0\0\0\0WAVE", b"%PDF-1.7"])
def test_what_is_no_picture_of_ours_is_refused(data: bytes) -> None:
    assert refusal(data) == "must be a JPEG, PNG, WebP or GIF picture"


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(file_format: str, keep: float) -> None:
    data = save(Image.effect_noise((200, 200), 90).convert("RGB"), file_format)
    assert refusal(data[: int(len(data) * keep)]).startswith("is damaged")


def test_a_picture_of_one_pixel_is_refused(picture_bytes: PictureBytes) -> None:
    assert refusal(picture_bytes(size=(1, 1))) == "must have sides of at least 16 px, it is 1x1"


def test_a_huge_picture_is_refused_by_its_header_alone() -> None:
    """The file holds no pixels at all, so nothing can have been decoded."""
    assert refusal(png_claiming(20_000, 20_000)) == "must have at most 64 megapixels, it is 20000x20000"


def test_a_huge_webp_canvas_is_refused_before_it_is_allocated(picture_bytes: PictureBytes) -> None:
    data = bytearray(picture_bytes("WEBP", "RGBA", color=(1, 2, 3, 4), exif=b"Exif\0\0"))
    assert data[12:16] == b"VP8X"
    data[24:30] = (16_000 - 1).to_bytes(3, "little") * 2
    assert "it is 16000x16000" in refusal(bytes(data))


def test_a_gif_frame_larger_than_its_screen_is_refused(picture_bytes: PictureBytes) -> None:
    data = bytearray(picture_bytes("GIF"))
    at = data.index(b"\x2c", 13)
    data[at + 5 : at + 9] = struct.pack("<HH", 60_000, 60_000)
    assert refusal(bytes(data)).startswith("is damaged")


def test_a_ribbon_is_refused(picture_bytes: PictureBytes) -> None:
    assert "longer than 20 times" in refusal(picture_bytes(size=(16 * 21, 16)))


def scans_of(jpeg: bytes) -> list[bytes]:
    """The passes in which a progressive JPEG without tables between them is drawn."""
    return [b"\xff\xda" + rest.partition(b"\xff\xc4")[0] for rest in jpeg[:-2].split(b"\xff\xda")[1:]]


def chunk(kind: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def laborious(kind: str) -> bytes:
    """A small picture that a reader would need seconds to hours for, were the file as large as it may be."""
    if kind == "scans":
        jpeg = save(Image.new("L", (64, 64), 128), "JPEG", progressive=True)
        return jpeg[:-2] + scans_of(jpeg)[1] * 500 + jpeg[-2:]
    if kind in ("segments", "fill", "junk", "ends"):
        jpeg = save(Image.new("L", (64, 64), 128), "JPEG")
        at = jpeg.index(b"\xff\xda")
        piece = {"segments": b"\xff\xe9\0\x02", "fill": b"\xff", "junk": b"a", "ends": b"\xff\xd9"}[kind]
        return jpeg[:at] + piece * 70_000 + jpeg[at:]
    if kind == "chunks":
        png = save(Image.new("L", (64, 64)), "PNG")
        return png[:33] + chunk(b"abCd") * 70_000 + png[33:]
    gif = save(Image.new("P", (64, 64)), "GIF")
    at = gif.index(b",", 13 + 3 * (2 << (gif[10] & 7)))
    piece = {"comments": b"!\xfe\1a\0", "one comment": b"!\xfe" + (b"\xff" + bytes(255)) * 3000 + b"\0"}[kind]
    return gif[:at] + piece * (120_000 if kind == "comments" else 1) + gif[at:]


@pytest.mark.parametrize("kind", ["scans", "segments", "fill", "junk", "ends", "chunks", "comments", "one comment"])
def test_a_file_that_is_made_to_keep_its_reader_busy_is_refused_at_once(kind: str) -> None:
    data = laborious(kind)
    began_s = time.thread_time()
    assert "more parts than any program writes" in refusal(data)
    assert time.thread_time() - began_s < 0.5


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_file_that_ends_anywhere_at_its_start_is_refused(file_format: str) -> None:
    data = save(Image.new("RGB", (64, 64)), file_format)
    for end in range(1, 64):
        refusal(data[:end])


def test_what_programs_write_is_not_laborious() -> None:
    noise = Image.effect_noise((900, 700), 90).convert("RGB")
    frames = [noise.rotate(angle) for angle in range(0, 90, 30)]
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for data in (
        save(noise, "JPEG", progressive=True, restart_marker_blocks=1, comment=b"x" * 60_000, icc_profile=profile * 50),
        save(noise, "JPEG", quality=100) + noise.tobytes(),  # phones append films
        save(noise, "PNG", save_all=True, append_images=frames, icc_profile=profile),
        save(noise.quantize(), "GIF", save_all=True, append_images=frames, comment=b"x" * 60_000),
    ):
        assert decode_picture(data).width == 900


def test_the_bytes_are_limited(picture_bytes: PictureBytes) -> None:
    assert "must be at most" in refusal(picture_bytes(), PictureLimits(max_bytes=50))


@given(
    st.binary(max_size=200),
    st.sampled_from([b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\0\0\0\0WEBPVP8 ", b"GIF89a", b""]),
)
@settings(max_examples=300, deadline=None)
def test_noise_ends_in_our_own_error(noise: bytes, start: bytes) -> None:
    with pytest.raises(PictureError):
        decode_picture(start + noise)


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF"])
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_with_flipped_bytes_is_read_or_refused(file_format: str, data: st.DataObject) -> None:
    content = bytearray(save(Image.linear_gradient("L").resize((32, 32)).convert("RGB"), file_format))
    for _ in range(3):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PictureError):
        decode_picture(bytes(content))


# --- files and PIL images ---------------------------------------------------------------------------------------------


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="does not exist"):
        read_picture(tmp_path / "nope.png", "images[0]")
    with pytest.raises(PictureError, match="is a folder"):
        read_picture(tmp_path, "images[0]")


def test_a_large_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(200 * 1024 * 1024)  # sparse: takes no disk
    with pytest.raises(PictureError, match="at most 64 MiB, it has 200"):
        read_picture(path)


def test_a_pil_image_is_taken_with_the_same_rules() -> None:
    assert take_pil(Image.new("RGBA", (20, 20), (*RED, 7))).mode == "RGBA"
    with pytest.raises(PictureError, match="at least 16 px"):
        take_pil(Image.new("RGB", (1, 1)), "images[0]")
    with pytest.raises(PictureError, match="floating point"):
        take_pil(Image.new("F", (20, 20), 0.5))


def test_premultiplied_grey_is_taken() -> None:
    image = Image.new("LA", (20, 20), (200, 128)).convert("La")
    assert first_pixel(take_pil(image)) == pytest.approx((200, 200, 200, 128), abs=1)


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_a_pil_image_is_turned_upright(file_format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = save(Image.effect_noise((40, 24), 90).convert("RGB"), file_format, exif=exif)
    with Image.open(io.BytesIO(data)) as image:
        taken = take_pil(image)
    turned = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert to_pil(taken).tobytes() == turned.tobytes()
    assert (taken.width, taken.height) == (24, 40)


def test_a_name_that_no_file_can_have_is_told() -> None:
    with pytest.raises(PictureError, match="is no name that a file can have"):
        read_picture(Path("a\0b"))


def test_a_picture_may_come_through_a_pipe(tmp_path: Path, picture_bytes: PictureBytes) -> None:
    data, pipe = picture_bytes("PNG", color=RED), tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(data,))
    writer.start()
    assert first_pixel(read_picture(pipe)) == RED
    writer.join()


def test_grey_of_more_than_16_bits_does_not_wrap_round() -> None:
    levels = Image.new("I", (20, 20), 70_000)
    levels.putpixel((1, 0), -5)
    taken = take_pil(levels)
    assert (taken.mode, taken.data[:6]) == ("RGB", bytes([255, 255, 255, 0, 0, 0]))

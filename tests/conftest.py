"""What every test shares: an environment without our settings, and pictures made on the spot."""

import io
import os
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

PictureBytes = Callable[..., bytes]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a GPU where there is none; on one, what its libraries warn of is no failure of ours."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    for item in marked:
        item.add_marker(pytest.mark.filterwarnings("default"))
    if marked and not _has_cuda():
        for item in marked:
            item.add_marker(pytest.mark.skip("needs a CUDA device"))


def _has_cuda() -> bool:
    import torch  # only where a test asks: most need none of it

    return torch.cuda.is_available()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the settings of the person who runs it, and none leaves settings behind."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("OVERPAINT_")]:
        monkeypatch.delenv(name)
    yield
    for name in set(os.environ) - set(before):
        del os.environ[name]


@pytest.fixture
def picture_bytes() -> PictureBytes:
    """Makes the bytes of a picture file: `picture_bytes("PNG", mode="RGBA", size=(40, 30), color=...)`."""

    def make(
        file_format: str = "PNG",
        mode: str = "RGB",
        size: tuple[int, int] = (40, 30),
        color: object = None,
        **options: object,
    ) -> bytes:
        image = Image.new(mode, size, color)  # pyright: ignore[reportArgumentType]
        buffer = io.BytesIO()
        image.save(buffer, file_format, **options)
        return buffer.getvalue()

    return make

import gc

import pytest

from overpaint.compose.imports import large_imports


@pytest.mark.parametrize("collects", [True, False])
def test_garbage_is_looked_for_after_the_imports_as_before_them(collects: bool) -> None:
    (gc.enable if collects else gc.disable)()
    try:
        with large_imports():
            assert not gc.isenabled()
        assert gc.isenabled() is collects
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()
        gc.enable()

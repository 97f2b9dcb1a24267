import subprocess
import sys

import pytest

from overpaint.compose.engine import open_engine
from overpaint.core.config import ModelConfig
from overpaint.core.errors import ConfigError
from overpaint.engine.null import NullEngine


def test_the_null_scheme_opens_the_null_engine() -> None:
    assert isinstance(open_engine(ModelConfig("null:")), NullEngine)


@pytest.mark.parametrize("source", ["null:soon", "null:-1", "null:61", "null:nan"])
def test_a_null_engine_with_an_odd_pace_is_refused(source: str) -> None:
    with pytest.raises(ConfigError, match="0 to 60 seconds"):
        open_engine(ModelConfig(source))


@pytest.mark.parametrize(
    "module", ["overpaint", "overpaint.cli.app", "overpaint.compose.engine", "overpaint.local", "overpaint.engine.null"]
)
def test_importing_it_does_not_import_torch(module: str) -> None:
    """`--help` and a mistyped flag must not cost the seconds that torch takes to import."""
    code = f"import {module}, sys; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_opening_an_engine_warns_of_nothing_it_does_not_use() -> None:
    code = "import overpaint.compose.engine as c, overpaint.core.config as k; c.open_engine(k.ModelConfig()).close()"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stderr
    assert not [line for line in told.splitlines() if line and "Loading weights" not in line]

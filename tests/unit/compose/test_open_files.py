"""How much a server may have open."""

import subprocess
import sys

import pytest

LOOK = """
import resource
from overpaint.compose.open_files import allow_many
allow_many()
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("limits", "told"), [("-H -n 900", "900 900"), ("-S -n 256", "{most} {hard}")])
def test_a_server_takes_what_the_system_gives(limits: str, told: str) -> None:
    hard = int(subprocess.run(["bash", "-c", "ulimit -H -n"], capture_output=True, text=True, check=True).stdout)
    most = min(hard, 65_536)
    lowered = f"ulimit -S -n 256; ulimit {limits}; exec {sys.executable} -c '{LOOK}'"
    done = subprocess.run(["bash", "-c", lowered], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == told.format(most=most, hard=hard)

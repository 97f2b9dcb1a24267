"""The Python class in a program of its own."""

import subprocess
import sys

_LEAVES_WHILE_IT_PAINTS = """
import threading
from overpaint import Overpaint

painter = Overpaint()
has_begun = threading.Event()
paint = lambda: painter.generate("a cat", steps=200, watch=lambda _: has_begun.set())
threading.Thread(target=paint, daemon=True).start()
assert has_begun.wait(60)
"""


def test_a_program_that_closes_nothing_ends_like_any_other() -> None:
    """Three of four used to be aborted by torch, on whose thread the interpreter ended; so two are tried."""
    command = [sys.executable, "-c", _LEAVES_WHILE_IT_PAINTS]
    programs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [program.communicate(timeout=120)[1] for program in programs]
    assert [program.returncode for program in programs] == [0, 0], said

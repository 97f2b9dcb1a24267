"""From a command to its first picture, in a fresh process: `overpaint edit`, and a script around diffusers' pipeline.

    python -m benchmarks.offline.cold [--rounds 5] [--side 128] [--steps 20] [--save]

Both sides start an interpreter, import, load the same checkpoint, edit the same bundled picture and write a PNG, in
turn. What diffusers imports depends on what is installed beside it (PEFT and torchao are imported when they are there),
so the figures hold for the environment they were taken in, which the last line names.
"""

from __future__ import annotations

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from tqdm import tqdm

from benchmarks.offline.options import checkpoint_options
from benchmarks.offline.workload import SAMPLES
from benchmarks.report import report
from overpaint.model.checkpoint_files import locate

PROMPT = "make the car blue"
PICTURE = SAMPLES / "car-and-tree.png"
OPTIONAL = ("peft", "torchao")
_SCRIPT = """
import sys
from pathlib import Path
import torch
from PIL import Image
from tests.reference.pipeline import reference_pipeline

folder, picture, prompt, side, steps, output = sys.argv[1:]
pipe = reference_pipeline(Path(folder), dtype=torch.bfloat16)
image = pipe(prompt=prompt, image=[Image.open(picture)], width=int(side), height=int(side),
             num_inference_steps=int(steps), output_resolution=int(side)).images[0]
image.save(output)
"""


def commands(folder: Path, side: int, steps: int, output: Path) -> dict[str, list[str]]:
    """What each side is called with."""
    ours = ["-m", "overpaint", "edit", PROMPT, "-i", PICTURE, "--model", folder, "--size", f"{side}x{side}"]
    ours += ["--steps", steps, "--seed", 1, "-o", output]
    theirs = ["-c", _SCRIPT, folder, PICTURE, PROMPT, side, steps, output]
    return {"ours": [sys.executable, *map(str, ours)], "diffusers": [sys.executable, *map(str, theirs)]}


def seconds_of(command: list[str], output: Path) -> float:
    """Of one call; the picture must be there afterwards."""
    output.unlink(missing_ok=True)
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - start
    output.stat()
    return seconds


def measure(calls: dict[str, list[str]], output: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds by side; the round that fills the machine's file cache is not counted."""
    found: dict[str, list[float]] = {name: [] for name in calls}
    for number in tqdm(range(rounds + 1), unit="round"):
        for name, call in calls.items():
            seconds = seconds_of(call, output)
            if number:
                found[name].append(seconds)
    return found


def main() -> None:
    parser = checkpoint_options(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", type=int, default=128, help="of the picture; the bundled checkpoint paints 128")
    parser.add_argument("--steps", type=int, default=20)
    a = parser.parse_args()
    with TemporaryDirectory() as folder:
        output = Path(folder) / "out.png"
        found = measure(commands(locate(a.model)[1], a.side, a.steps, output), output, a.rounds)
    ratio = median(theirs / ours for ours, theirs in zip(found["ours"], found["diffusers"], strict=True))
    installed = [name for name in OPTIONAL if find_spec(name)]
    figures = {"ratio": ratio, "seconds": found, "side": a.side, "steps": a.steps, "beside_diffusers": installed}
    row = [f"{median(found['ours']):.2f} s", f"{median(found['diffusers']):.2f} s", f"{ratio:.2f}x"]
    title = f"cold, {a.side} pixels, {a.steps} steps, beside {' and '.join(installed) or 'nothing'}"
    report("cold", [title, "ours", "diffusers", "ratio"], [["first picture", *row]], figures, save=a.save)


if __name__ == "__main__":
    main()

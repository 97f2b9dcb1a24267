"""The benchmark that needs a GPU runs from end to end without one, at tiny sizes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.offline.full_size.__main__ import chosen
from benchmarks.offline.full_size.targets import TARGETS, rows_of
from benchmarks.offline.soak import Soak, verdict

_ROOT = Path(__file__).parents[2]
_COMMAND = [sys.executable, "-m", "benchmarks.offline.full_size", "--dry-run", "--rounds", "1"]


@pytest.mark.slow
def test_every_case_of_the_full_size_benchmark_runs(tmp_path: Path) -> None:
    pytest.importorskip("torchao")
    out = tmp_path / "full-size.json"
    done = subprocess.run([*_COMMAND, "--out", str(out)], cwd=_ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    cases = json.loads(out.read_text())["cases"]
    assert {target.case for target in TARGETS} <= set(cases)
    assert cases["cards"]["24"]["bf16"]["blocks_streamed"] == 0
    small = cases["cards"]["0.0036"]
    assert small["bf16"]["blocks_streamed"] == 3
    assert small["int4"]["blocks_streamed"] == 0
    assert all(card["fits"] for card in small.values())
    assert cases["generation"]["difference_to_diffusers"]["ours"] < 0.02  # bfloat16, three steps
    assert cases["fp8"]["difference_to_bf16"] > 0


def test_a_dry_run_has_nothing_to_save() -> None:
    done = subprocess.run([*_COMMAND, "--save"], cwd=_ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "--dry-run measures nothing" in done.stderr


def test_a_soak_that_fails_says_by_what() -> None:
    assert verdict(Soak(rss_mib=[500, 500, 510])) is None
    assert "memory grew 1.200x" in (verdict(Soak(rss_mib=[500, 500, 600])) or "")
    assert "2 problems, the first: t1" in (verdict(Soak(problems=["t1: broken", "t2"], rss_mib=[500])) or "")


def test_targets_read_the_figures_that_cases_give() -> None:
    sides = {"diffusers": 9.0, "ours": 4.3, "compiled": 4.2}
    single = {"total_s": sides, "share_of_peak": {"ours": 0.7, "compiled": 0.76}}
    gains = {"4": {"gain": 1.2}, "10": {"gain": 1.7}}
    cards = {"24": {"bf16": {"peak_gib": 20.0}}, "16": {"bf16": {"failed": "out of memory"}}}
    found = {row[0]: row[3] for row in rows_of({"generation": single, "prefix": gains, "cards": cards})}
    assert list(found.values()) == ["met", "met", "MISSED", "met", "met", ""]


def test_what_is_named_is_asked_in_an_order_that_works_and_a_slip_costs_nothing() -> None:
    known = ("generation", "fp8", "cards")
    assert chosen("--only", "cards,generation", known) == ("generation", "cards")
    with pytest.raises(SystemExit, match="--weights int9: it takes generation, fp8, cards"):
        chosen("--weights", "int9", known)

"""Figures with 95 % intervals from the marks of an evaluation. Knows nothing of pictures."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from statistics import fmean, stdev
from typing import Any

from recipes.mini.judge import LEVELS, MEANS, Marks
from recipes.mini.tasks import Task
from recipes.mini.words import CHINESE, ENGLISH

Z = 1.96
_LANGUAGES = {ENGLISH: "English", CHINESE: "Chinese"}
_SAID = {  # in the order of the card
    "success": "everything right, all cases",
    "object": "right object",
    "position": "right position",
    "size": "right size",
    "recolour": "right colour",
    "style": "right style",
    "background": "right background",
    "removed": "object removed",
    "text": "every letter right",
    "character error rate": "letters read wrongly by a general reader",
    "text removed": "text removed",
    "alpha IoU": "extraction: overlap of what is opaque",
    "untouched": "other objects untouched by an edit",
    "preservation": "preservation of what stays equal",
    "to truth": "whole picture to the truth",
}


def wilson(right: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    if count == 0:
        return 0.0, 1.0
    share = right / count
    centre = share + Z * Z / (2 * count)
    reach = Z * math.sqrt(share * (1 - share) / count + Z * Z / (4 * count * count))
    scale = 1 + Z * Z / count
    return max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale)


def share(values: Iterable[float]) -> dict[str, Any]:
    """Marks of 0 and 1, summed up."""
    marks = list(values)
    right = int(sum(marks))
    low, high = wilson(right, len(marks))
    found = round(right / len(marks), 3)
    return {"right": right, "of": len(marks), "share": found, "interval": [round(low, 3), round(high, 3)]}


def level(values: Iterable[float]) -> dict[str, Any]:
    """A mean and its interval from the spread."""
    found = list(values)
    reach = round(Z * stdev(found) / math.sqrt(len(found)), 3) if len(found) > 1 else None
    return {"mean": round(fmean(found), 3), "of": len(found), "plus or minus": reach}


def collect(tasks: list[Task], marks: list[Marks]) -> dict[str, Any]:
    """Every mark over all cases; success by skill, language and phrasing."""
    by_mark: defaultdict[str, list[float]] = defaultdict(list)
    groups: dict[str, defaultdict[str, list[float]]] = {
        name: defaultdict(list) for name in ("skills", "languages", "phrasings")
    }
    for task, found in zip(tasks, marks, strict=True):
        for name, value in found.items():
            by_mark[name].append(value)
        groups["skills"][f"{task.skill} {task.language}"].append(found["success"])
        groups["languages"][task.language].append(found["success"])
        groups["phrasings"]["unseen" if task.held_out_phrasing else "seen"].append(found["success"])
    report: dict[str, Any] = {"cases": len(tasks)}
    report["marks"] = {
        name: (level if name in (*LEVELS, *MEANS) else share)(values) for name, values in sorted(by_mark.items())
    }
    report |= {name: {key: share(values) for key, values in sorted(group.items())} for name, group in groups.items()}
    return report


def markdown(report: dict[str, Any]) -> str:
    """The report as the tables of the model card."""
    marks = report["marks"]
    rows = [(said, _found(name, marks[name])) for name, said in _SAID.items() if name in marks]
    rows += [(_LANGUAGES[name], _found(name, row)) for name, row in report["languages"].items()]
    rows += [(f"{name} phrasings", _found(name, row)) for name, row in report["phrasings"].items()]
    rows.append(("autoencoder alone", _found("preservation", report["autoencoder"])))
    first = ["| | |", "|---|---|", *(f"| {said} | {found} |" for said, found in rows)]
    skills = sorted({name.rpartition(" ")[0] for name in report["skills"]})
    second = [
        f"| all that was asked is right, and the rest untouched | {' | '.join(_LANGUAGES.values())} |",
        "|---|---|---|",
        *(
            f"| {skill} | {' | '.join(_of_skill(report, skill, language) for language in _LANGUAGES)} |"
            for skill in skills
        ),
    ]
    return "\n".join([*first, "", *second]) + "\n"


def _of_skill(report: dict[str, Any], skill: str, language: str) -> str:
    row = report["skills"].get(f"{skill} {language}")
    return _found(skill, row) if row else "-"


def _found(name: str, row: dict[str, Any]) -> str:
    if "share" in row:
        low, high = (round(100 * edge) for edge in row["interval"])
        return f"{row['right']}/{row['of']} = {row['share']:.0%} ({low}-{high})"
    digits, unit = (1, " dB") if name in LEVELS else (2, "")
    return f"{_mean(row, digits)}{unit}"


def _mean(row: dict[str, Any], digits: int) -> str:
    """A mean with its interval, where there is more than one value to tell it from."""
    reach = row["plus or minus"]
    return f"{row['mean']:.{digits}f}" + ("" if reach is None else f" ± {reach:.{digits}f}")


def table(report: dict[str, Any]) -> str:
    """The report as lines for people."""
    lines: list[str] = []
    for title in ("marks", "skills", "languages", "phrasings"):
        lines.append(f"\n{title}")
        for name, row in report[title].items():
            if "share" in row:
                low, high = row["interval"]
                lines.append(
                    f"  {name:24} {row['right']:4}/{row['of']:<4} {row['share']:5.0%}  ({low:.0%} to {high:.0%})"
                )
            else:
                lines.append(f"  {name:24} {_mean(row, 2):>16}  of {row['of']}")
    return "\n".join(lines)

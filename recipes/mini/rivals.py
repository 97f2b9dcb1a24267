"""Questions an evaluation asks of an answer: which of several exact pictures is it nearest to?

For each thing an instruction asked, the right scene and its rivals, which differ from it in that one
thing only, and the part of the picture where they differ. Knows nothing of pixels or models.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from recipes.mini.backgrounds import COLOUR_NAMES, GROUNDS
from recipes.mini.objects import STYLES
from recipes.mini.scenes import SIDE, SIZES, TINTS, Box, Item, Scene, overlap, stand
from recipes.mini.skills import exchange, without
from recipes.mini.tasks import Task
from recipes.mini.world import World

WHOLE: Box = (0, 0, SIDE, SIDE)


@dataclass(frozen=True)
class Question:
    """`candidates[0]` is right; they are compared inside `box`, or outside the objects when it is None."""

    name: str
    candidates: tuple[Scene, ...]
    box: Box | None


def _question(name: str, truth: Scene, rivals: list[Scene], box: Box | None) -> Question:
    different = list(dict.fromkeys(rival for rival in rivals if rival != truth))
    return Question(name, (truth, *different), box)


def ask(task: Task, world: World) -> list[Question]:
    """What is to be judged of an answer to a task."""
    truth = task.target
    before = task.sources[-1] if task.sources else None
    new = [item for item in truth.items if before is None or item not in before.items]
    if before is None:
        new = [task.subject] if task.subject else []
    found = [question for item in new for question in _of_new(item, before, truth, world)]
    if before is not None and task.skill != "extract":
        found += [_gone(item, truth, world) for item in _vanished(before, truth)]
    if before is None or before.background != truth.background:
        found.append(_question("background", truth, [replace(truth, background=b) for b in _grounds(truth)], None))
    if before is not None and before.text is not None and truth.text is None:
        found.append(_question("text removed", truth, [replace(truth, text=before.text)], before.text.box))
    return found


def ask_untouched(task: Task, world: World) -> list[Question]:
    """Whether the objects an edit did not mention are still what they were."""
    if not task.sources:
        return []
    stay = [item for item in task.target.items if item in task.sources[-1].items]
    return [identity("untouched", item, task.target, world) for item in stay]


def identity(name: str, item: Item, truth: Scene, world: World) -> Question:
    """Which object is it? Any other one, or none."""
    others = [exchange(truth, item, replace(item, thing=thing)) for thing in range(world.things)]
    return _question(name, truth, [without(truth, item), *others], item.box)


def _of_new(item: Item, before: Scene | None, truth: Scene, world: World) -> list[Question]:
    """Questions about an object that is new, or not as it was."""
    was = None
    if before is not None:
        was = next((old for old in before.items if old.thing == item.thing), None)
    if was is None:
        found = [identity("object", item, truth, world)]
        moved = before is None or not any(old.box == item.box for old in before.items)
        return [*found, _position(item, truth, world)] if moved else found
    if was.tint != item.tint:
        tints = [exchange(truth, item, replace(item, tint=tint)) for tint in range(len(TINTS) + 1)]
        return [_question("recolour", truth, tints, item.box)]
    if was.style != item.style:
        styles = [exchange(truth, item, replace(item, style=style)) for style in range(len(STYLES))]
        return [_question("style", truth, styles, item.box)]
    if was.size != item.size and was.place == item.place:
        return [_question("size", truth, [exchange(truth, item, was)], WHOLE)]
    return [identity("object", item, truth, world), _position(item, truth, world, was)]


def _position(item: Item, truth: Scene, world: World, was: Item | None = None) -> Question:
    size = max(size for size in SIZES if size <= item.size)
    moved = [replace(stand(item.thing, name, size, item.style, item.tint), flip=item.flip) for name in world.places]
    rivals = [exchange(truth, item, other) for other in [*moved, *([was] if was else [])]]
    return _question("position", truth, rivals, WHOLE)


def _vanished(before: Scene, truth: Scene) -> list[Item]:
    """Objects that are no longer there, nor anything in their stead."""
    kept = {item.thing for item in truth.items}
    boxes = {item.box for item in truth.items}
    return [item for item in before.items if item.thing not in kept and item.box not in boxes]


def _gone(item: Item, truth: Scene, world: World) -> Question:
    near = tuple(other for other in truth.items if overlap(other.box, item.box))  # a scene has no room for five
    there = [replace(truth, items=(*near, replace(item, thing=thing))) for thing in range(world.things)]
    return _question("removed", truth, there, item.box)


def _grounds(truth: Scene) -> list[str]:
    """Every other background; the gradients among them share a colour with a right gradient."""
    top, _, bottom = truth.background.partition(">")
    names = [*COLOUR_NAMES, *GROUNDS]
    if bottom:
        names += [f"{top}>{colour}" for colour in COLOUR_NAMES if colour != top]
        names += [f"{colour}>{bottom}" for colour in COLOUR_NAMES if colour != bottom]
    return names

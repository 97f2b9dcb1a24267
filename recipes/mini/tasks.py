"""Tasks: an instruction, the pictures it is about, and the right answer.

Training draws from one side of the fence in `world.py` and from the seen phrasings; evaluation from
the other side, with some phrasings that training never used. Knows nothing of pixels or models.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from recipes.mini.phrases import JOINED, PHRASINGS, SPECIAL
from recipes.mini.scenes import Item, Scene
from recipes.mini.skills import SKILLS, Draft
from recipes.mini.speaker import Speaker
from recipes.mini.words import CHINESE, ENGLISH, LANGUAGES
from recipes.mini.world import World, scene_held_out

UNCONDITIONAL = " "
SILENT = {ENGLISH: ("add {new}", "draw {new}", "please add {new}"), CHINESE: ("加{new}", "添加{new}", "画{new}")}


@dataclass(frozen=True)
class Task:
    """One request and its right answer. `subject` is the object concerned, as it is afterwards, or was."""

    skill: str
    language: str
    prompt: str
    sources: tuple[Scene, ...]
    target: Scene
    subject: Item | None = None
    held_out_phrasing: bool = False


def draw_draft(rng: random.Random, world: World, skill: str, held_out: bool) -> Draft:
    """A draft from the training side, or from the other side of the fence."""
    while True:
        draft = SKILLS[skill](rng, world)
        if draft is not None:
            fenced = any(scene_held_out(scene) for scene in (*draft.sources, draft.target))
            if fenced == held_out:
                return draft


def phrase(draft: Draft, say: Speaker, new_words: bool) -> str:
    """The sentence of a draft."""
    language = say.language.name
    template = PHRASINGS[language][draft.template].draw(say.rng, new_words)
    if draft.silent and not new_words:
        template = say.rng.choice(SILENT[language])
    if draft.template == "background" and not new_words:
        special = SPECIAL[language].get(draft.target.background, ())
        template = say.rng.choice((template, template, *special))
    words = template.format(**draft.slots(say))
    if draft.second is None:
        return words
    plain = replace(draft.second, silent=False)
    return words.rstrip(".。") + say.rng.choice(JOINED[language]) + phrase(plain, say, False)


def draw_task(
    rng: random.Random,
    world: World,
    skill: str | None = None,
    language: str | None = None,
    held_out: bool = False,
    new_words: bool = False,
) -> Task:
    """One task; `held_out` asks for an unseen combination, `new_words` for an unseen phrasing."""
    chosen = skill or rng.choices(tuple(world.skills), tuple(world.skills.values()))[0]
    spoken = language or (CHINESE if rng.random() < world.chinese else ENGLISH)
    draft = draw_draft(rng, world, chosen, held_out)
    words = phrase(draft, Speaker(rng, LANGUAGES[spoken], world), new_words)
    return Task(chosen, spoken, words, draft.sources, draft.target, draft.subject, new_words)


def training_tasks(world: World, seed: int, unconditional: float = 0.08) -> Iterator[Task]:
    """Endless training tasks; a share of them has an empty instruction, for guidance."""
    rng = random.Random(seed)
    while True:
        task = draw_task(rng, world)
        yield replace(task, prompt=UNCONDITIONAL) if rng.random() < unconditional else task


def evaluation_tasks(world: World, count: int, seed: int = 2026, held_out: bool = True) -> list[Task]:
    """Fixed cases: skills in turn, every third newly phrased, languages alternating by rounds of the skills."""
    rng = random.Random(seed)
    skills = tuple(world.skills)
    tasks: list[Task] = []
    for index in range(count):
        turn = index // len(skills)
        language = (ENGLISH, CHINESE)[turn % 2]
        tasks.append(draw_task(rng, world, skills[index % len(skills)], language, held_out, turn % 3 == 0))
    return tasks

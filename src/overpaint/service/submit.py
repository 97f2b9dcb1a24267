"""From a draft to a stored task: everything is checked before the caller hears an id, and durable when they hear it.

In order: model, numbers and words; rate; whether it is a repeat; pictures (fetched, decoded, checked, stored by
content); open tasks and budget; the task. What fails leaves nothing charged and no task. Knows no HTTP and no vendor's
words.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from uuid import uuid4

from overpaint.core.account import UNLIMITED
from overpaint.core.errors import BackendError, TaskError
from overpaint.core.request import MAX_SEED, RANDOM_SEED
from overpaint.core.sizes import Size, SizeRules
from overpaint.core.store_ports import TaskStore
from overpaint.core.task import NewTask, Task, TaskFailure, TaskSpec, TaskState
from overpaint.service.adapters import AdapterDesk
from overpaint.service.caller import Caller
from overpaint.service.canvas import engine_size
from overpaint.service.catalogue import Catalogue, ModelEntry
from overpaint.service.checks import check_draft, check_prompt, check_webhook
from overpaint.service.draft import Draft
from overpaint.service.enhance import Enhancer, enhance_or_keep
from overpaint.service.fingerprint import fingerprint_of
from overpaint.service.joining import Joiner
from overpaint.service.limits import Limits
from overpaint.service.pictures import PictureDesk, TakenPicture, read_mask, require_same_sides
from overpaint.service.safety import Safety
from overpaint.service.watch import Ended, WatchTower


@dataclass(frozen=True, slots=True)
class SubmitParts:
    """What accepting a request takes.

    Args:
        tasks: where tasks are stored.
        catalogue: what may be asked of which model.
        limits: what a key may use.
        desk: takes pictures in.
        adapters: takes adapters in.
        safety: what may be asked at all.
        enhancer: enriches prompts; None never does.
        joiner: finds the first of two identical requests.
        tower: hears of new tasks.
        size_rules: what the engine paints; raises `BackendError` while no checkpoint was ever loaded.
        wake: called when a task is stored.
    """

    tasks: TaskStore
    catalogue: Catalogue
    limits: Limits
    desk: PictureDesk
    adapters: AdapterDesk
    safety: Safety
    enhancer: Enhancer | None
    joiner: Joiner
    tower: WatchTower
    size_rules: Callable[[], SizeRules]
    wake: Callable[[], None]


class Submitter:
    """Accepts drafts.

    Args:
        parts: what it takes.
    """

    def __init__(self, parts: SubmitParts) -> None:
        self._parts = parts
        self._is_admitting = True

    def stop(self) -> None:
        """Take nothing any more; what is being accepted is finished."""
        self._is_admitting = False

    def start(self) -> None:
        """Take requests (again)."""
        self._is_admitting = True

    async def submit(self, caller: Caller, draft: Draft) -> Task:
        """Check a draft and store it as a queued task.

        Goes on when the waiting caller is cancelled (the client went away): the task is then *unheard*, and an
        identical draft of the same key within the join window gets it instead of a second one. So does an identical
        draft with `is_retry`, a fixed seed or the first one's idempotency key while the first is still being accepted.

        Raises:
            RequestError: a field breaks a rule (also `PictureError`, `ContentError`).
            TaskError: the idempotency key was used with another request.
            RateLimitError: too many requests, or too many open tasks.
            BudgetError: this month's budget does not cover it.
            BackendError: the store, the files or the engine are out of reach; nothing was accepted.
        """
        if not self._is_admitting:
            raise BackendError("the server is stopping; try again in a moment")
        entry = self._parts.catalogue.find(draft.model)
        size = check_draft(draft, entry)
        self._check_words(draft)
        self._parts.limits.take_request(caller)
        fingerprint = await fingerprint_of(caller, draft)
        accept = partial(self._accept, caller, draft, entry, size, fingerprint)
        if (once := draft.idempotency_key) is not None:
            accept_once = partial(self._repeat_or, accept, caller, once, fingerprint)
            return await self._parts.joiner.accept(f"{fingerprint} {once}", True, accept_once)
        if joined := await self._unheard(fingerprint):
            return joined
        is_joinable = draft.is_retry or draft.seed != RANDOM_SEED
        return await self._parts.joiner.accept(fingerprint, is_joinable, accept)

    async def refuse(self, caller: Caller, draft: Draft, failure: TaskFailure) -> Task:
        """Store what cannot be painted as a failed task, for dialects whose callers hear of it where results are.

        Nothing of the draft is checked but where to tell of it, and nothing is charged. Counts as a request.

        Raises:
            RequestError: the webhook's URL cannot be used, or there is no such model.
            RateLimitError: too many requests.
            BackendError: the store is out of reach.
        """
        entry = self._parts.catalogue.find(draft.model)
        check_webhook(draft.webhook_url)
        self._parts.limits.take_request(caller)
        spec = TaskSpec(entry.id, draft.prompt, seed=0, output=draft.output, wording=draft.wording)
        task, _ = await self._store(caller, draft, spec, 0, await fingerprint_of(caller, draft), failure)
        self._parts.tower.tell(task.id, task.attempt, Ended(task))
        return task

    def note_unheard(self, task: Task) -> None:
        """Note that the client went away before it was told of `task`, so that its retry is given this task.

        For borders that wait for the result before they answer.
        """
        self._parts.joiner.note_unheard(task.id)

    async def enhance(self, caller: Caller, prompt: str, *, is_edit: bool) -> str | None:
        """Richer words for a prompt, for its author to look at; None when there are none. Counts as a request.

        Raises:
            RequestError: the prompt is blank, longer than any model takes, or no text.
            ContentError: the prompt rules refuse it.
            RateLimitError: too many requests.
        """
        check_prompt(prompt, self._parts.catalogue)
        self._parts.safety.check_words(prompt)
        self._parts.limits.take_request(caller)
        return await enhance_or_keep(self._parts.enhancer, prompt, is_edit=is_edit)

    def _check_words(self, draft: Draft) -> None:
        self._parts.safety.check_words(draft.prompt)
        if draft.negative_prompt:
            self._parts.safety.check_words(draft.negative_prompt, "negative_prompt")

    async def _unheard(self, fingerprint: str) -> Task | None:
        task_id = self._parts.joiner.take_unheard(fingerprint)
        if task_id is None:
            return None
        try:
            task = await self._parts.tasks.get(task_id)
        except TaskError:
            return None
        return None if task.state in (TaskState.FAILED, TaskState.CANCELLED) else task

    async def _repeat_or(
        self, accept: Callable[[], Awaitable[Task]], caller: Caller, idempotency_key: str, fingerprint: str
    ) -> Task:
        """The task of an earlier request, looked for before anything is fetched: its URLs may lead nowhere by now."""
        earlier = await self._parts.tasks.find_repeated(caller.key_id, idempotency_key, fingerprint)
        return earlier or await accept()

    async def _accept(
        self, caller: Caller, draft: Draft, entry: ModelEntry, size: Size | float | None, fingerprint: str
    ) -> Task:
        adapters = await self._parts.adapters.take(draft.adapters)
        pictures, mask = await self._take_pictures(caller, draft, entry)
        spec = replace(await self._spec(draft, entry, size, pictures, mask), adapters=adapters)
        engine_size(spec, self._parts.size_rules())
        price = entry.price_microusd * draft.num_images
        if draft.idempotency_key is None:  # one that came before is given again, whatever room there is now
            await self._parts.limits.check_room(caller, price)
        by_content = {taken.file.key: taken for taken in (*pictures, *((mask,) if mask else ()))}
        await asyncio.gather(*(self._parts.desk.keep(taken) for taken in by_content.values()))
        await self._parts.adapters.keep(adapters)
        task, is_new = await self._store(caller, draft, spec, price, fingerprint)
        if is_new:
            self._parts.wake()
        return task

    async def _take_pictures(
        self, caller: Caller, draft: Draft, entry: ModelEntry
    ) -> tuple[list[TakenPicture], TakenPicture | None]:
        """All pictures and the mask, fetched side by side; the first that is wrong is told."""
        sources = [(source.called or f"images[{index}]", source) for index, source in enumerate(draft.pictures)]
        if draft.mask is not None:
            sources.append((draft.mask.called or "mask", draft.mask))
        desk, rules = self._parts.desk, entry.pictures
        taken = await asyncio.gather(*(desk.take(caller, source, field, rules) for field, source in sources))
        for (field, _), picture in zip(sources, taken, strict=True):
            await self._parts.safety.check_input(picture.picture, field)
        if draft.mask is None:
            return taken, None
        require_same_sides(taken[-1].picture, taken[0].picture)
        return taken[:-1], await asyncio.to_thread(read_mask, taken[-1], draft.mask_meaning)

    async def _spec(
        self,
        draft: Draft,
        entry: ModelEntry,
        size: Size | float | None,
        pictures: list[TakenPicture],
        mask: TakenPicture | None,
    ) -> TaskSpec:
        is_enhanced = entry.is_enhanced if draft.enhance is None else draft.enhance
        enhancer = self._parts.enhancer if is_enhanced else None
        return TaskSpec(
            model=entry.id,
            prompt=draft.prompt,
            seed=secrets.randbelow(MAX_SEED + 1) if draft.seed == RANDOM_SEED else draft.seed,
            enhanced_prompt=await enhance_or_keep(enhancer, draft.prompt, is_edit=bool(pictures)),
            negative_prompt=draft.negative_prompt,
            pictures=tuple(taken.file for taken in pictures),
            mask=mask.file if mask else None,
            size=size,
            num_images=draft.num_images,
            steps=draft.steps or entry.steps,
            true_cfg_scale=entry.true_cfg_scale if draft.true_cfg_scale is None else draft.true_cfg_scale,
            acceleration=draft.acceleration,
            output=draft.output,
            wording=draft.wording,
        )

    async def _store(
        self,
        caller: Caller,
        draft: Draft,
        spec: TaskSpec,
        price: int,
        fingerprint: str,
        failure: TaskFailure | None = None,
    ) -> tuple[Task, bool]:
        new = NewTask(
            id=uuid4().hex,
            key_id=caller.key_id,
            dialect=draft.dialect,
            spec=spec,
            priority=draft.priority,
            price_microusd=price,
            fingerprint=fingerprint,
            webhook_url=draft.webhook_url,
            idempotency_key=draft.idempotency_key,
            failure=failure,
        )
        return await self._parts.tasks.create(new, UNLIMITED if failure else caller.limits)

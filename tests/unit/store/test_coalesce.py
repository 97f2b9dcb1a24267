"""Many calls, few batches, each caller its own answer."""

import asyncio
from collections.abc import Sequence

import pytest

from overpaint.core.errors import BackendError, TaskError
from overpaint.store.coalesce import Coalescer


class Doubler:
    """Doubles numbers, slowly; refuses 13, breaks on 666."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        await asyncio.sleep(0.01)
        if 666 in numbers:
            raise BackendError("broken")
        return [TaskError("unlucky") if number == 13 else 2 * number for number in numbers]


async def gather(calls: Coalescer[int, int], numbers: Sequence[int]) -> list[int | BaseException]:
    return await asyncio.gather(*(calls(number) for number in numbers), return_exceptions=True)


def test_each_caller_gets_its_own_answer_from_few_batches() -> None:
    run = Doubler()
    assert asyncio.run(gather(Coalescer(run), range(100, 200))) == [2 * number for number in range(100, 200)]
    assert len(run.batches) == 1


def test_a_batch_has_a_bound() -> None:
    run = Doubler()
    asyncio.run(gather(Coalescer(run, max_batch=8), range(20, 40)))
    assert [len(batch) for batch in run.batches] == [8, 8, 4]


def test_one_refusal_is_one_callers() -> None:
    answers = asyncio.run(gather(Coalescer(Doubler()), [12, 13, 14]))
    assert answers[0] == 24
    assert isinstance(answers[1], TaskError)
    assert answers[2] == 28


def test_a_broken_batch_is_told_to_every_caller_and_the_next_one_works() -> None:
    async def both() -> tuple[list[int | BaseException], int]:
        calls = Coalescer[int, int](Doubler())
        return await gather(calls, [1, 666]), await calls(3)

    broken, fine = asyncio.run(both())
    assert [type(answer) for answer in broken] == [BackendError] * 2
    assert broken[0] is not broken[1]
    assert fine == 6


def test_a_caller_that_gave_up_while_waiting_is_left_out() -> None:
    run = Doubler()

    async def scene() -> None:
        calls = Coalescer[int, int](run)
        first = asyncio.create_task(calls(1))
        await asyncio.sleep(0.001)
        second, third = asyncio.create_task(calls(2)), asyncio.create_task(calls(3))
        await asyncio.sleep(0.001)
        second.cancel()
        assert await asyncio.gather(first, third) == [2, 6]
        with pytest.raises(asyncio.CancelledError):
            await second

    asyncio.run(scene())
    assert run.batches == [[1], [3]]

"""The scheduler, torch-free, against a runner on paper."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.core.errors import OversizeError
from overpaint.core.request import Acceleration
from overpaint.core.task import Priority
from overpaint.core.terms import Terms
from overpaint.engine.job import Job
from overpaint.engine.limits import Cost, Costs, Limits
from overpaint.engine.policy import FairOrder
from overpaint.engine.sequence import Sequence
from tests.unit.engine.scheduling import Desk, make_job

_BATCH = Terms(priority=Priority.BATCH)


def test_a_newcomer_steps_in_the_tick_after_its_prefix_stands() -> None:
    desk = Desk(units=1)
    desk.submit(make_job("old", steps=20))
    for _ in range(5):
        desk.tick()
    desk.submit(make_job("new", steps=4))
    assert desk.tick().prefill is not None
    assert {work.sequence_id for work in desk.tick().denoise} == {"old/0", "new/0"}


def test_a_picture_larger_than_a_chunk_is_counted_whole() -> None:
    desk = Desk(Limits(tick_tokens=2 * 64 + 5, prefill_tokens=1), units=1)
    desk.submit(make_job("old", steps=30, num_images=2))
    desk.tick()
    assert len(desk.tick().denoise) == 2
    desk.submit(make_job("new", pictures=("a", "b"), prefix_tokens=22))  # 8 tokens a picture, 2 of words at a time
    assert len(desk.tick().denoise) == 1


def test_running_pictures_step_in_every_tick_while_a_newcomer_is_prefilled() -> None:
    desk = Desk(units=10)
    desk.submit(make_job("old", steps=30))
    while desk.runner.steps["old/0"] == 0:
        desk.tick()
    desk.submit(make_job("new"))
    for done in range(2, 12):
        desk.tick()
        assert desk.runner.steps["old/0"] == done


def test_pictures_of_any_size_step_count_and_kind_step_together() -> None:
    desk = Desk(units=1)
    desk.submit(make_job("small", side=64, steps=9))
    desk.submit(make_job("large", side=512, steps=5, pictures=("a",)))
    desk.submit(make_job("guided", steps=7, guided=True, num_images=2))
    most = max(len(desk.tick().denoise) for _ in range(8))
    assert most == 4


def test_a_prefix_wanted_twice_is_built_once() -> None:
    desk = Desk()
    desk.submit(make_job("one", words="same", num_images=3))
    desk.submit(make_job("two", words="same"))
    prefills = 0
    while desk.scheduler.has_work:
        prefills += desk.tick().prefill is not None
    assert prefills == 2  # units of one build


def test_a_more_urgent_class_takes_the_place_of_a_running_one() -> None:
    desk = Desk(Limits(max_running=1), units=1)
    desk.submit(make_job("batch", steps=20, terms=_BATCH))
    for _ in range(5):
        desk.tick()
    desk.submit(make_job("urgent", steps=3))
    desk.run()
    assert desk.runner.decoded == ["urgent/0", "batch/0"]


def test_a_class_that_is_always_outdone_is_served_in_the_end() -> None:
    desk = Desk(Limits(max_running=1, tick_tokens=64), units=1)
    desk.submit(make_job("batch", steps=4, terms=_BATCH))
    for index in range(200):
        desk.submit(make_job(f"urgent{index}", steps=4))
        for _ in range(4):
            desk.tick()
        if "batch/0" in desk.runner.decoded:
            break
    assert "batch/0" in desk.runner.decoded


def test_a_small_picture_overtakes_a_large_one_when_the_tick_is_full() -> None:
    desk = Desk(Limits(tick_tokens=1), units=1)
    desk.submit(make_job("large", side=512, steps=40))
    for _ in range(6):
        desk.tick()
    desk.submit(make_job("small", side=64, steps=4))
    desk.run()
    assert desk.runner.decoded == ["small/0", "large/0"]


def test_two_tenants_get_equal_shares_however_much_one_of_them_sends() -> None:
    desk = Desk(Limits(tick_tokens=1, max_running=64), units=1)
    for index in range(20):
        desk.submit(make_job(f"greedy{index}", steps=10, terms=Terms(tenant="greedy"), words="g"))
    desk.submit(make_job("modest", steps=40, terms=Terms(tenant="modest"), words="m"))
    while desk.runner.steps["modest/0"] < 20:
        desk.tick()
    greedy = sum(steps for name, steps in desk.runner.steps.items() if name.startswith("greedy"))
    assert 17 <= greedy <= 25


def test_a_heavier_tenant_gets_more() -> None:
    desk = Desk(Limits(tick_tokens=1), units=1)
    desk.submit(make_job("heavy", steps=100, terms=Terms(tenant="heavy", weight=3.0), words="h"))
    desk.submit(make_job("light", steps=100, terms=Terms(tenant="light"), words="l"))
    for _ in range(60):
        desk.tick()
    assert desk.runner.steps["heavy/0"] == pytest.approx(3 * desk.runner.steps["light/0"], rel=0.15)


def test_a_tenant_that_was_away_brings_no_credit_along() -> None:
    desk = Desk(Limits(tick_tokens=1, max_running=64), units=1)
    desk.submit(make_job("busy", steps=60, terms=Terms(tenant="busy"), words="b"))
    for _ in range(40):
        desk.tick()
    desk.submit(make_job("late", steps=60, terms=Terms(tenant="late"), words="l"))
    before = desk.runner.steps["busy/0"]
    for _ in range(20):
        desk.tick()
    assert desk.runner.steps["busy/0"] - before >= 8


def test_a_tenant_that_had_the_device_to_itself_owes_nothing_for_it() -> None:
    """It was away when the other one came, so the other one brings no credit along either."""
    desk = Desk(Limits(tick_tokens=1, max_running=64), units=1)
    desk.submit(make_job("before", steps=500, terms=Terms(tenant="modest")))
    desk.run()
    desk.submit(make_job("greedy", steps=500, terms=Terms(tenant="greedy")))
    for _ in range(10):
        desk.tick()
    desk.submit(make_job("modest", steps=20, terms=Terms(tenant="modest")))
    ticks = 0
    while "modest/0" not in desk.runner.decoded:
        desk.tick()
        ticks += 1
    assert ticks <= 2 * 20 + 4


def test_a_tick_beside_a_busy_tenant_takes_a_lonely_picture_twice_its_own_time_at_most() -> None:
    """Alone a step costs 64 + 64 tokens; shared with one other tenant it may cost 256, so 192 tokens step."""
    desk = Desk(Limits(max_running=64, costs=Costs(step=Cost(fixed=64))), units=1)
    for index in range(10):
        desk.submit(make_job(f"greedy{index}", steps=200, terms=Terms(tenant="greedy"), words="g"))
    desk.submit(make_job("modest", steps=4, terms=Terms(tenant="modest"), words="m"))
    ticks = [plan for plan in (desk.tick() for _ in range(20)) if plan.denoise]
    beside = [plan for plan in ticks if any(work.sequence_id == "modest/0" for work in plan.denoise)]
    assert [len(plan.denoise) for plan in beside] == [3, 3, 3, 3]
    assert len(ticks[-1].denoise) == 10  # nobody to share with any more


def test_a_lonely_picture_waits_for_one_prefix_of_others_at_a_time() -> None:
    desk = Desk(Limits(max_running=64), units=1)
    desk.submit(make_job("modest", steps=12, terms=Terms(tenant="modest"), words="m"))
    desk.tick()
    for index in range(10):
        desk.submit(make_job(f"greedy{index}", steps=1, terms=Terms(tenant="greedy"), prefix_tokens=200))
    builds, ticks = 0, 0
    while "modest/0" not in desk.runner.decoded:
        builds += desk.tick().prefill is not None
        ticks += 1
    # Twelve steps of 64 tokens pay for as much work of the other's: three prefixes of 200 and some steps.
    assert builds <= 4
    assert ticks <= 13 + builds


def test_a_backlog_does_not_lift_a_tenant_above_its_share() -> None:
    desk = Desk(Limits(tick_tokens=1, max_running=64), units=1)
    for index in range(30):
        desk.submit(make_job(f"greedy{index}", steps=20, terms=Terms(tenant="greedy"), words="g"))
    for _ in range(300):
        desk.tick()
    desk.submit(make_job("modest", steps=20, terms=Terms(tenant="modest"), words="m"))
    ticks = 0
    while "modest/0" not in desk.runner.decoded:
        desk.tick()
        ticks += 1
    assert ticks <= 2 * 20 + 4


def test_tenants_take_places_in_turn() -> None:
    desk = Desk(Limits(max_running=4), units=1)
    for index in range(8):
        desk.submit(make_job(f"greedy{index}", steps=50, terms=Terms(tenant="greedy"), words="g"))
    for _ in range(8):
        desk.tick()
    for index in range(2):
        desk.submit(make_job(f"modest{index}", steps=10, terms=Terms(tenant="modest"), words="m"))
    for _ in range(8):
        desk.tick()
    assert desk.runner.steps["modest0/0"] > 0
    assert desk.runner.steps["modest1/0"] > 0
    before = desk.scheduler.stats.num_preemptions
    desk.tick()
    assert desk.scheduler.stats.num_preemptions == before == 2  # and nobody is sent to and fro


def test_a_pack_that_did_not_fit_into_memory_is_halved_from_then_on() -> None:
    desk = Desk(units=1)
    for index in range(4):
        desk.submit(make_job(str(index), steps=9, words="same"))
    desk.tick()
    plan = desk.tick()
    assert len(plan.denoise) == 4
    _crowd(desk)
    assert [len(desk.tick().denoise) for _ in range(3)] == [2, 2, 2]


def test_a_pack_that_did_not_fit_is_halved_by_what_it_was_whoever_of_it_was_still_wanted() -> None:
    """One by one they are stepped after it, and who is cancelled meanwhile is not."""
    desk = Desk(units=1)
    for index in range(8):
        desk.submit(make_job(str(index), steps=9, words="same"))
    desk.tick()
    _crowd(desk, num_wanted=1)
    assert len(desk.scheduler.schedule().denoise) == 4


def test_of_a_pack_that_did_not_fit_who_was_cancelled_meanwhile_is_passed_over() -> None:
    desk = Desk(units=1)
    for index in range(4):
        desk.submit(make_job(str(index), steps=9, words="same"))
    desk.tick()
    plan = desk.scheduler.schedule()
    result = desk.runner.execute(plan)
    for index in range(4):
        desk.scheduler.cancel(str(index))
    desk.scheduler.apply(replace(result, crowd=tuple(work.sequence_id for work in plan.denoise)))
    desk.scheduler.check_integrity()
    assert desk.scheduler.num_running == 0


def test_a_tick_looks_once_at_each_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Sequence] = []
    slowdown = FairOrder._slowdown

    def look(order: FairOrder, sequence: Sequence) -> float:
        looks.append(sequence)
        return slowdown(order, sequence)

    monkeypatch.setattr(FairOrder, "_slowdown", look)
    desk = Desk(Limits(max_running=4, cache_bytes=4 * 40), units=1)
    for index in range(50):
        desk.submit(make_job(str(index), terms=Terms(tenant=str(index % 3))))
    for _ in range(8):
        looks.clear()
        desk.tick()
        assert len(looks) == len(set(map(id, looks)))


def test_tenants_that_have_gone_are_not_remembered_for_ever() -> None:
    desk = Desk(units=1)
    for index in range(100):
        desk.submit(make_job(str(index), steps=1, terms=Terms(tenant=str(index))))
        desk.run()
    assert len(desk.scheduler._order._spent) <= 2


def _crowd(desk: Desk, num_wanted: int | None = None) -> None:
    """A pack that does not fit; so many of it are stepped one by one after it, all by default."""
    plan = desk.scheduler.schedule()
    result = desk.runner.execute(plan)
    crowd = tuple(work.sequence_id for work in plan.denoise)
    desk.scheduler.apply(replace(result, stepped=result.stepped[:num_wanted], crowd=crowd))


def test_a_tick_that_was_halved_grows_back_to_what_it_was() -> None:
    desk = Desk(Limits(tick_tokens=4 * 64), units=1)
    for index in range(5):
        desk.submit(make_job(str(index), steps=3000, words="same"))
    desk.tick()
    assert len(desk.tick().denoise) == 4
    _crowd(desk)
    sizes = [len(desk.tick().denoise) for _ in range(900)]
    assert sizes[:400] == [2] * 400  # 128 tokens, and a tenth more each hundred: 140, 154, 169, 185
    assert 400 < sizes.index(3) <= 500
    assert sizes[-100:] == [4] * 100
    _crowd(desk)
    assert len(desk.tick().denoise) == 2


def test_no_more_step_together_than_the_prefixes_they_read_leave_room_for() -> None:
    """A step takes 64 bytes, and 2 for each of 40 tokens of its prefix: all of the pack's at once where they are."""
    limits = Limits(work_bytes=500, work_bytes_per_token=1, read_bytes_per_token=2)
    for gathers, most in ((True, 500 // (64 + 80)), (False, (500 - 80) // 64)):
        desk = Desk(replace(limits, gathers=gathers), units=1)
        for index in range(9):
            desk.submit(make_job(str(index), steps=30, words="same"))
        assert max(len(desk.tick().denoise) for _ in range(12)) == most
        desk.run()


def test_who_steps_alone_takes_no_room_from_those_who_step_together() -> None:
    desk = Desk(Limits(work_bytes=3 * 64, work_bytes_per_token=1), units=1)
    for index in range(3):
        desk.submit(make_job(f"together{index}", steps=30, words="same"))
        desk.submit(make_job(f"alone{index}", steps=30, terms=Terms(reproducible=True)))
    assert max(len(desk.tick().denoise) for _ in range(12)) == 6


def test_what_acceleration_keeps_is_taken_off_the_room_to_work_in() -> None:
    limits = Limits(work_bytes=8 * 64, work_bytes_per_token=1, memo_bytes_per_token=1)
    cases: list[tuple[Acceleration, int]] = [("none", 8), ("high", 2)]
    for acceleration, most in cases:
        desk = Desk(limits, units=1)
        for index in range(6):
            desk.submit(make_job(f"kept{index}", steps=30, words="same", acceleration=acceleration))
        for index in range(2):
            desk.submit(make_job(f"plain{index}", steps=30, words="same"))
        assert [len(desk.tick().denoise) for _ in range(4)][-1] == most
        desk.run()


def test_decoding_counts_towards_the_tick() -> None:
    desk = Desk(Limits(tick_tokens=4 * 64, costs=Costs(decode=Cost(2.0))), units=1)
    for index in range(4):
        desk.submit(make_job(str(index), steps=2, words="same"))
    plans = [desk.tick() for _ in range(4)]
    assert [len(plan.decode) for plan in plans] == [0, 0, 0, 2]


def test_what_could_never_be_held_is_refused_with_what_would_fit() -> None:
    desk = Desk(Limits(cache_bytes=100, bytes_per_token=1))
    with pytest.raises(OversizeError, match="need 0 MiB for keys and values"):
        desk.scheduler.check_fits(make_job("huge", prefix_tokens=1000))


def test_guided_requests_that_each_hold_half_of_the_memory_do_not_wait_for_each_other_for_ever() -> None:
    desk = Desk(Limits(cache_bytes=2 * 40), units=1)
    for index in range(3):
        desk.submit(make_job(str(index), guided=True))
    desk.run()
    assert sorted(desk.runner.decoded) == ["0/0", "1/0", "2/0"]


def test_a_prefix_that_cannot_be_built_fails_its_users_and_nobody_else() -> None:
    desk = Desk(units=1)
    broken = make_job("broken", num_images=2)
    desk.runner.fail_prefixes.add(broken.prefixes[0].key)
    desk.submit(broken)
    desk.submit(make_job("fine"))
    desk.run()
    assert desk.runner.decoded == ["fine/0"]


def test_a_cancel_while_its_prefix_is_built_abandons_the_build() -> None:
    desk = Desk(units=10)
    desk.submit(make_job("gone"))
    desk.tick()
    desk.scheduler.cancel("gone")
    desk.run()
    assert not desk.runner.standing


def _run_edits(desk: Desk, *edits: tuple[str, tuple[str, ...]]) -> None:
    """Edits of pictures, one after the other."""
    for task_id, pictures in edits:
        desk.submit(make_job(task_id, pictures=pictures))
        desk.run()


def test_edits_of_one_picture_hold_it_once() -> None:
    desk = Desk(units=1)
    _run_edits(desk, ("a1", ("a",)), ("a2", ("a",)), ("ab", ("a", "b")))
    assert desk.scheduler.held_bytes == 40 + 30 + (10 + 20)


def test_kept_blocks_give_way_oldest_first_and_words_before_the_pictures_they_stand_on() -> None:
    desk = Desk(Limits(cache_bytes=2 * 40 + 30), units=1)
    _run_edits(desk, ("a1", ("a",)), ("b", ("b",)), ("a2", ("a",)))
    _run_edits(desk, ("c", ("c",)))
    held = {key.removesuffix(":positive") for key in desk.scheduler.held_blocks}
    assert held == {"a", "a:a2", "b", "c", "c:c"}  # the words on b went, and those of a1


def test_what_leaves_the_device_comes_back_from_the_host() -> None:
    desk = Desk(Limits(cache_bytes=40, host_cache_bytes=1000), units=1)
    _run_edits(desk, ("a1", ("a",)), ("b", ("b",)), ("a2", ("a",)))
    assert desk.runner.on_host == {"b", "b:b:positive", "a:a1:positive"}
    assert desk.runner.restored == 1
    desk.submit(make_job("again", words="b", pictures=("b",)))
    assert (desk.tick().prefill, desk.runner.restored) != (None, 1)
    desk.run()
    assert desk.runner.restored == 3  # words and all: nothing was computed


def test_what_was_there_or_on_its_way_when_a_request_came_is_counted_as_reused_once() -> None:
    desk = Desk(Limits(cache_bytes=90, host_cache_bytes=1000), units=1)

    def share_of(job: Job) -> float:
        before = desk.scheduler.stats.prefix_tokens_reused
        desk.submit(job)
        return (desk.scheduler.stats.prefix_tokens_reused - before) / sum(spec.num_tokens for spec in job.prefixes)

    assert share_of(make_job("first", words="x", pictures=("a",))) == 0
    assert share_of(make_job("second", words="x", pictures=("a",))) == 1
    assert share_of(make_job("third", words="y", pictures=("a",))) == 10 / 40
    assert share_of(make_job("both", words="z", pictures=("b",), guided=True)) == 10 / 80
    desk.run()
    assert desk.scheduler.stats.num_evictions
    assert share_of(make_job("again", words="x", pictures=("a",))) == 1
    counted = desk.scheduler.stats.prefix_tokens_reused
    desk.run()
    assert desk.runner.restored
    assert desk.scheduler.stats.prefix_tokens_reused == counted


def test_a_full_host_forgets_the_oldest() -> None:
    desk = Desk(Limits(cache_bytes=40, host_cache_bytes=50), units=1)
    _run_edits(desk, ("a", ("a",)), ("b", ("b",)), ("c", ("c",)))
    assert desk.runner.on_host == {"b", "b:b:positive", "a"}
    _run_edits(desk, ("d", ("d",)))
    assert desk.runner.on_host == {"c", "c:c:positive", "b"}


def test_what_is_larger_than_the_host_has_room_for_is_forgotten_with_all_that_stands_on_it() -> None:
    desk = Desk(Limits(cache_bytes=40, host_cache_bytes=9), units=1)
    _run_edits(desk, ("a", ("a",)), ("b", ("b",)))
    assert not desk.runner.on_host


def test_a_block_that_does_not_reach_the_host_is_forgotten_and_built_again() -> None:
    desk = Desk(Limits(cache_bytes=40, host_cache_bytes=1000), units=1)
    _run_edits(desk, ("a", ("a",)))
    desk.runner.is_host_full = True
    _run_edits(desk, ("b", ("b",)))
    assert not desk.runner.on_host
    assert desk.scheduler.held_host_bytes == 0
    desk.runner.is_host_full = False
    _run_edits(desk, ("a2", ("a",)))
    assert desk.runner.restored == 0
    assert desk.runner.on_host == {"b", "b:b:positive"}


def test_what_stands_on_a_lost_block_goes_with_it() -> None:
    desk = Desk(Limits(cache_bytes=70, host_cache_bytes=1000), units=1)
    _run_edits(desk, ("a", ("a",)), ("b", ("b",)))
    assert desk.runner.on_host == {"a:a:positive"}  # the words on a made room enough
    desk.runner.is_host_full = True
    _run_edits(desk, ("c", ("c",)))
    assert not desk.runner.on_host


_jobs = st.builds(
    dict,
    steps=st.integers(1, 6),
    side=st.sampled_from([64, 128, 256]),
    pictures=st.lists(st.sampled_from("abc"), max_size=2, unique=True).map(tuple),
    words=st.sampled_from(["", "x", "y"]),
    num_images=st.integers(1, 3),
    guided=st.booleans(),
    terms=st.builds(
        Terms, tenant=st.sampled_from("pq"), priority=st.sampled_from(Priority), reproducible=st.booleans()
    ),
    acceleration=st.sampled_from(["none", "high"]),
)
_rooms = st.builds(
    Limits,
    work_bytes=st.integers(2 * 256 + 2 * 80 + 3 * 2 * 256, 4000),  # the largest job: guided, of three, accelerated
    work_bytes_per_token=st.integers(0, 1),
    read_bytes_per_token=st.integers(0, 2),
    gathers=st.booleans(),
    memo_bytes_per_token=st.integers(0, 1),
)


@settings(max_examples=150, deadline=None)
@given(
    arrivals=st.lists(st.tuples(_jobs, st.integers(0, 6), st.booleans()), min_size=1, max_size=12),
    max_running=st.integers(1, 5),
    tick_tokens=st.integers(1, 2000),
    cache_bytes=st.integers(2 * 40, 500),  # the largest job here needs two prefixes of 40 tokens
    host_cache_bytes=st.integers(0, 200),
    costs=st.builds(Costs, *[st.builds(Cost, st.floats(0, 4), st.floats(0, 300))] * 3),
    units=st.integers(1, 3),
    broken=st.integers(0, 30),
    room=_rooms,
    full=st.integers(0, 30),
)
def test_nothing_is_lost_doubled_or_starved(
    arrivals: list[tuple[dict[str, object], int, bool]],
    max_running: int,
    tick_tokens: int,
    cache_bytes: int,
    host_cache_bytes: int,
    costs: Costs,
    units: int,
    broken: int,
    room: Limits,
    full: int,
) -> None:
    """Random arrivals, cancels, failures and budgets: every picture ends, steps once each, integrity always holds."""
    caches = {"cache_bytes": cache_bytes, "host_cache_bytes": host_cache_bytes}
    limits = replace(room, max_running=max_running, tick_tokens=tick_tokens, costs=costs, **caches)
    desk = Desk(limits, units)
    jobs: dict[str, Job] = {}
    cancelled: set[str] = set()
    for index, (fields, ticks, is_cancelled) in enumerate(arrivals):
        job = make_job(str(index), **fields)  # type: ignore[arg-type]
        jobs[job.task_id] = job
        desk.runner.is_host_full = index >= full
        if index == broken:
            desk.runner.fail_prefixes.add(job.prefixes[-1].key)
        desk.scheduler.check_fits(job)
        desk.submit(job)
        for _ in range(ticks):
            desk.tick()
        if is_cancelled:
            cancelled.add(job.task_id)
            desk.scheduler.cancel(job.task_id)
    desk.run()
    failing = {t for t, job in jobs.items() if {p.key for p in job.prefixes} & desk.runner.fail_prefixes}
    done = {sequence_id.partition("/")[0] for sequence_id in desk.runner.decoded}
    assert len(desk.runner.decoded) == len(set(desk.runner.decoded))
    assert set(jobs) - cancelled - failing <= done

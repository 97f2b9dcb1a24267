"""Our engine paints what diffusers paints, from prompt and pictures to latents and pixels."""

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import pytest

from overpaint.model.checkpoint import Checkpoint
from tests.parity.ours import Painted, paint_alone, paint_together
from tests.reference.cases import CASES, PLAIN_CASES, Case
from tests.reference.measures import max_abs, psnr_db
from tests.reference.pipeline import Reference

# Latents are of order one and a step of fp32 rounding through three blocks is about 1e-6; eight steps of a network
# with open gates amplify that some ten times. Any real difference moves them by 0.1 and more (test_reference.py).
LATENT_TOLERANCE = 1e-3
# uint8 against uint8: one in six samples may round the other way before this is missed.
PIXEL_PSNR_DB = 55.0


def assert_same_picture(ours: Painted, theirs: Reference) -> None:
    assert len(ours.latents) == len(theirs.latents)
    for latents, reference in zip(ours.latents, theirs.latents, strict=True):
        assert max_abs(latents, reference) <= LATENT_TOLERANCE
    for pixels, reference in zip(ours.pixels, theirs.pixels, strict=True):
        assert psnr_db(pixels, reference) > PIXEL_PSNR_DB


def checkpoint_of(case: Case, plain: Checkpoint, turbo: Checkpoint) -> Checkpoint:
    return turbo if case.is_turbo else plain


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_request_alone_matches_the_pipeline(
    case: Case,
    plain_checkpoint: Checkpoint,
    turbo_checkpoint: Checkpoint,
    paint_reference: Callable[[Case], Reference],
) -> None:
    checkpoint = checkpoint_of(case, plain_checkpoint, turbo_checkpoint)
    assert_same_picture(paint_alone(checkpoint, case.request), paint_reference(case))


def test_all_requests_packed_together_match_the_pipeline_and_their_solo_runs(
    plain_checkpoint: Checkpoint, paint_reference: Callable[[Case], Reference]
) -> None:
    together = paint_together(plain_checkpoint, [case.request for case in PLAIN_CASES])
    for case, painted in zip(PLAIN_CASES, together, strict=True):
        assert_same_picture(painted, paint_reference(case))
        alone = paint_alone(plain_checkpoint, case.request)
        assert max(map(max_abs, painted.latents, alone.latents)) <= LATENT_TOLERANCE, case.name


def test_requests_of_other_step_counts_that_join_and_leave_a_pack_change_nothing(
    plain_checkpoint: Checkpoint,
) -> None:
    requests = [replace(case.request, steps=2 + index) for index, case in enumerate(PLAIN_CASES[:6])]
    crowded = paint_together(plain_checkpoint, requests, max_running=3)
    for painted, request in zip(crowded, requests, strict=True):
        alone = paint_alone(plain_checkpoint, request)
        assert max(map(max_abs, painted.latents, alone.latents)) <= LATENT_TOLERANCE


def test_the_pack_holds_sequences_of_every_kind() -> None:
    """What the packed test covers, so that a shrinking table of cases is noticed."""
    requests = [case.request for case in PLAIN_CASES]
    assert {len(request.pictures) for request in requests} >= {0, 1, 2, 3}
    assert any(request.uses_guidance for request in requests)
    assert len({str(request.size) for request in requests}) >= 4
    assert any(request.num_images > 1 for request in requests)
    assert "RGBA" in {picture.mode for picture in chain.from_iterable(request.pictures for request in requests)}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_picture(plain_checkpoint: Checkpoint) -> None:
    request = PLAIN_CASES[1].request
    first, again = (paint_alone(plain_checkpoint, request).pixels[0] for _ in range(2))
    other = paint_alone(plain_checkpoint, replace(request, seed=request.seed + 1)).pixels[0]
    assert first.tobytes() == again.tobytes()
    assert psnr_db(first, other) < 30


def test_image_two_of_a_request_is_image_one_of_the_next_seed(plain_checkpoint: Checkpoint) -> None:
    request = replace(PLAIN_CASES[0].request, num_images=2)
    second = paint_alone(plain_checkpoint, request).latents[1]
    next_seed = paint_alone(plain_checkpoint, replace(request, num_images=1, seed=request.seed + 1)).latents[0]
    assert max_abs(second, next_seed) <= LATENT_TOLERANCE

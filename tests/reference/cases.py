"""The requests every engine of ours must answer as diffusers does."""

from dataclasses import dataclass

from overpaint.core.request import GenerationRequest
from overpaint.core.sizes import Size
from tests.reference.pictures import make_picture

RESOLUTION = 96
STEPS = 8
TURBO_SIGMAS = [1.0, 0.93, 0.8, 0.62, 0.41, 0.2]


@dataclass(frozen=True, slots=True)
class Case:
    """A named request.

    Args:
        name: for the test id.
        request: with its seed and steps set.
        is_turbo: it is to run on the checkpoint that brings its own `sample_sigmas`.
    """

    name: str
    request: GenerationRequest
    is_turbo: bool = False


def _request(prompt: str, **fields: object) -> GenerationRequest:
    return GenerationRequest(prompt, **{"seed": 7, "steps": STEPS, **fields})  # type: ignore[arg-type]


_WIDE, _TALL, _SQUARE = (make_picture(120, 70, seed=1), make_picture(50, 110, seed=2), make_picture(64, 64, seed=3))
_SEE_THROUGH = make_picture(90, 100, "RGBA", seed=4)

CASES: tuple[Case, ...] = (
    Case("text_only", _request("a red apple on a wooden table")),
    Case("one_reference", _request("make the background green", pictures=(_WIDE,))),
    Case("three_references", _request("put <image1> beside <image3>", pictures=(_WIDE, _TALL, _SQUARE))),
    Case("rgba_reference", _request("remove the hat", pictures=(_SEE_THROUGH,))),
    Case("guidance", _request("a blue cup", negative_prompt="blurry, low quality", true_cfg_scale=3.5)),
    Case(
        "guidance_with_reference",
        _request("a blue cup", negative_prompt="", true_cfg_scale=4.0, pictures=(_TALL,)),
    ),
    Case("two_images", _request("a small dog", num_images=2)),
    Case("two_images_of_references", _request("a small dog", num_images=2, pictures=(_SQUARE, _TALL))),
    Case("wide_target", _request("a long hill", size=Size(160, 64))),
    Case("tall_target_of_wide_reference", _request("a tower", size=Size(64, 128), pictures=(_WIDE,))),
    Case("aspect_target", _request("a field", size=16 / 9)),
    Case("chinese", _request("一只猫坐在红色的椅子上,旁边写着“你好”", pictures=(_SQUARE,))),
    Case("turbo", _request("a red apple", steps=None), is_turbo=True),
    Case("turbo_with_reference", _request("a red apple", steps=None, pictures=(_TALL,)), is_turbo=True),
)
PLAIN_CASES = tuple(case for case in CASES if not case.is_turbo)

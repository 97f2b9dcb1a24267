import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from overpaint.core.errors import RequestError
from overpaint.core.sizes import PRESETS, Size, SizeRules, fit_area, parse_size, plan_canvas

RULES = SizeRules()
sides = st.integers(min_value=2, max_value=96).map(lambda n: n * 32)
aspects = st.floats(min_value=1 / 8, max_value=8)


@given(sides, sides, st.sampled_from(["x", "*", "X", "×", " x "]))
def test_a_free_size_is_read_as_it_is_written(width: int, height: int, sign: str) -> None:
    assert parse_size(f"{width}{sign}{height}") == Size(width, height)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_read_as_its_aspect(preset: str) -> None:
    width, height = preset.split(":")
    assert parse_size(preset) == pytest.approx(int(width) / int(height))


@given(st.text(max_size=12))
def test_any_other_text_is_refused_in_our_own_words(text: str) -> None:
    assume("x" not in text.lower() and "*" not in text and "×" not in text and text.strip() not in PRESETS)
    with pytest.raises(RequestError, match="WIDTHxHEIGHT"):
        parse_size(text)


@pytest.mark.parametrize("text", ["1" * 5000 + "x1", "1x" + "1" * 5000, "9" * 30 + "x9"])
def test_a_number_without_end_is_refused_as_any_other_text(text: str) -> None:
    with pytest.raises(RequestError, match="WIDTHxHEIGHT"):
        parse_size(text)


@given(sides, sides)
def test_what_keeps_the_rules_is_delivered_exactly(width: int, height: int) -> None:
    size = Size(width, height)
    if max(width, height) > RULES.max_aspect * min(width, height):
        with pytest.raises(RequestError, match="longer than 8 times"):
            plan_canvas(size, None, RULES)
        return
    canvas = plan_canvas(size, None, RULES)
    assert canvas.delivered == size
    if size.area <= RULES.native_area:
        assert not canvas.is_resized


@given(aspects)
def test_an_aspect_is_painted_at_the_default_area(aspect: float) -> None:
    canvas = plan_canvas(aspect, None, RULES)
    assert not canvas.is_resized
    assert canvas.painted.area == pytest.approx(RULES.default_area, rel=0.12)
    assert canvas.painted.width % 32 == canvas.painted.height % 32 == 0


@given(st.integers(min_value=32 * 32, max_value=4096 * 4096), st.floats(min_value=1 / 8, max_value=8))
def test_fitting_an_area_rounds_each_side_by_half_a_step_at_most(area: int, aspect: float) -> None:
    size = fit_area(area, aspect)
    assert abs(size.width - max(32, (area * aspect) ** 0.5)) <= 16.001
    assert abs(size.height - max(32, (area / aspect) ** 0.5)) <= 16.001


def test_without_a_size_the_last_picture_gives_the_shape() -> None:
    assert plan_canvas(None, 2.0, RULES).delivered.aspect == pytest.approx(2.0, rel=0.05)
    assert plan_canvas(None, None, RULES).delivered == Size(1024, 1024)


def test_a_size_above_the_native_area_is_painted_smaller_and_resized() -> None:
    rules = SizeRules(native_area=128 * 128, default_area=128 * 128)
    canvas = plan_canvas(Size(512, 512), None, rules)
    assert (canvas.painted, canvas.delivered) == (Size(128, 128), Size(512, 512))
    assert canvas.is_resized


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0x0", "64 to 3072 px"),
        ("-64x64", "64 to 3072 px"),
        ("100x128", "multiples of 32 px"),
        ("4096x4096", "64 to 3072 px"),
        ("3072x64", "longer than 8 times"),
    ],
)
def test_a_size_that_breaks_a_rule_is_refused_with_that_rule(text: str, rule: str) -> None:
    size = parse_size(text)
    assert isinstance(size, Size)
    with pytest.raises(RequestError, match=rule) as caught:
        RULES.check(size)
    assert caught.value.field == "size"
    assert caught.value.value == text


def test_a_size_off_the_grid_is_answered_with_the_nearest_one_on_it() -> None:
    with pytest.raises(RequestError, match="try 96x128"):
        RULES.check(Size(100, 128))

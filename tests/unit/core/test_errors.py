import pickle
from collections.abc import Iterator
from typing import Any

import pytest

import overpaint.core as core
from overpaint.core import errors
from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import (
    CheckpointError,
    ConfigError,
    NoNumbersError,
    OverpaintError,
    RateLimitError,
    RequestError,
    SettingError,
)


def all_errors(root: type[OverpaintError] = OverpaintError) -> Iterator[type[OverpaintError]]:
    yield root
    for child in root.__subclasses__():
        yield from all_errors(child)


def test_every_error_has_a_code_of_its_own_and_a_place_in_the_drawing() -> None:
    kinds = [kind for kind in all_errors() if kind.__module__ == errors.__name__]
    assert len({kind.code for kind in kinds}) == len(kinds)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in kinds)


@pytest.mark.parametrize(
    "error",
    [
        RequestError("seed", -5, "must not be"),
        CheckpointError("/x", "is missing"),
        SettingError("weights", "'int9' must not be"),
        NoNumbersError(),
        ConfigError("no"),
        OverpaintError(),
    ],
)
def test_an_error_survives_the_way_to_another_process(error: OverpaintError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), copy.message, vars(copy)) == (type(error), error.message, vars(error))


def test_a_long_value_is_shortened_in_the_message() -> None:
    assert len(RequestError("prompt", "x" * 10_000, "is long").message) < 120


@pytest.mark.parametrize(("wait_s", "said_s"), [(0.0, 1), (0.2, 1), (1.0, 1), (1.2, 2), (2.4, 3), (5.0, 5)])
def test_who_tries_again_when_told_is_not_too_early(wait_s: float, said_s: int) -> None:
    assert RateLimitError("slow", wait_s).retry_after_whole_s == said_s


def test_core_exports_what_it_says() -> None:
    assert sorted(core.__all__) == list(core.__all__)
    assert all(hasattr(core, name) for name in core.__all__)


@pytest.mark.parametrize("values", [{"device": "gpu"}, {"dtype": "int8"}])
def test_a_model_configuration_is_checked_at_once(values: dict[str, Any]) -> None:
    [key] = values
    with pytest.raises(ConfigError, match=f"{key}: .* must be one of"):
        ModelConfig(**values)


def test_an_engine_runs_something() -> None:
    with pytest.raises(ConfigError, match="max_running"):
        EngineConfig(max_running=0)

import pytest

from overpaint.core.config import ModelConfig
from overpaint.core.errors import ConfigError
from overpaint.settings import is_debugging, read_model_config, read_server_settings, read_settings, silence_libraries


def test_what_is_given_goes_before_the_environment_and_that_before_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_model_config() == ModelConfig(None, "auto", "auto")
    monkeypatch.setenv("OVERPAINT_MODEL", "/some/folder")
    monkeypatch.setenv("OVERPAINT_DEVICE", "cpu")
    monkeypatch.setenv("OVERPAINT_DTYPE", "float32")
    assert read_model_config() == ModelConfig("/some/folder", "cpu", "float32")
    given = {"model": "other", "device": "mps", "dtype": "bfloat16", "weights": None}
    assert read_model_config(given) == ModelConfig("other", "mps", "bfloat16")


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPAINT_DEVICE", "")
    assert read_settings().device == "auto"


def test_a_variable_with_a_typo_is_refused_instead_of_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPAINT_DEVISE", "cpu")
    with pytest.raises(ConfigError, match=r"OVERPAINT_DEVISE: is not a setting; the settings are .*OVERPAINT_DEVICE"):
        read_settings()


def test_a_refusal_quotes_what_would_be_taken_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """In small letters it would ask for what it refuses."""
    monkeypatch.setenv("OVERPAINT_LOG_LEVEL", "debug")
    with pytest.raises(ConfigError, match=r"'debug' is not usable \(input should be 'DEBUG', 'INFO'"):
        read_server_settings({})


@pytest.mark.parametrize("days", ["1e9", "inf", "nan", "36501", "0"])
def test_days_that_no_calendar_has_are_refused_at_start_and_not_by_every_sweep(
    days: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERPAINT_KEEP_DAYS", days)
    with pytest.raises(ConfigError, match="OVERPAINT_KEEP_DAYS"):
        read_server_settings({})


@pytest.mark.parametrize("seconds", ["0", "3601", "nan"])
def test_a_time_to_wait_that_cannot_be_kept_is_named_as_it_was_said(
    seconds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"^--sync-timeout-s: "):
        read_server_settings({"sync_timeout_s": float(seconds)})
    monkeypatch.setenv("OVERPAINT_SYNC_TIMEOUT_S", seconds)
    with pytest.raises(ConfigError, match=r"^OVERPAINT_SYNC_TIMEOUT_S: "):
        read_server_settings({})


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("true", True), ("0", False), ("", False), ("hm", False)])
def test_asking_whether_to_show_tracebacks_never_fails(
    text: str, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OVERPAINT_DEBUG", text)
    assert is_debugging() is expected


def test_a_level_that_the_person_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "debug")
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS", raising=False)
    silence_libraries(keep_bars=True)
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "debug"
    assert os.environ["DIFFUSERS_VERBOSITY"] == "error"
    assert "HF_HUB_DISABLE_PROGRESS_BARS" not in os.environ


def test_the_key_that_examples_read_is_no_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OVERPAINT_KEY", "op_x")
    monkeypatch.setenv("OVERPAINT_URL", "http://localhost:8000")
    assert read_settings().device == "auto"

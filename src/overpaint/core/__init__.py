"""The vocabulary of Overpaint: standard library only, imported by everything, importing nothing of ours."""

from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.engine_stats import EngineStats
from overpaint.core.errors import (
    AccessError,
    BackendError,
    BudgetError,
    CancelledTaskError,
    CapacityError,
    CheckpointError,
    ConfigError,
    ContentError,
    NoNumbersError,
    OverpaintError,
    PictureError,
    RateLimitError,
    RequestError,
    SettingError,
    TaskError,
    TaskNotFoundError,
)
from overpaint.core.events import Event, Failed, Finished, Preview, Progress, is_final
from overpaint.core.model_info import ModelInfo
from overpaint.core.picture import Picture
from overpaint.core.ports import Clock, EngineClient
from overpaint.core.request import AdapterFile, AdapterRef, GenerationRequest, OutputSpec
from overpaint.core.result import GenerationResult, PaintedImage, Timings
from overpaint.core.sizes import Canvas, Size, SizeRules
from overpaint.core.terms import Terms

__all__ = [
    "AccessError",
    "AdapterFile",
    "AdapterRef",
    "BackendError",
    "BudgetError",
    "CancelledTaskError",
    "Canvas",
    "CapacityError",
    "CheckpointError",
    "Clock",
    "ConfigError",
    "ContentError",
    "EngineClient",
    "EngineConfig",
    "EngineStats",
    "Event",
    "Failed",
    "Finished",
    "GenerationRequest",
    "GenerationResult",
    "ModelConfig",
    "ModelInfo",
    "NoNumbersError",
    "OutputSpec",
    "OverpaintError",
    "PaintedImage",
    "Picture",
    "PictureError",
    "Preview",
    "Progress",
    "RateLimitError",
    "RequestError",
    "SettingError",
    "Size",
    "SizeRules",
    "TaskError",
    "TaskNotFoundError",
    "Terms",
    "Timings",
    "is_final",
]

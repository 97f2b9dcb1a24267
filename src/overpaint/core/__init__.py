"""The vocabulary of Overpaint: standard library only, imported by everything, importing nothing of ours."""

from overpaint.core.config import EngineConfig, ModelConfig
from overpaint.core.errors import (
    BackendError,
    CancelledTaskError,
    CapacityError,
    CheckpointError,
    ConfigError,
    OverpaintError,
    PictureError,
    RequestError,
    TaskError,
)
from overpaint.core.events import Event, Failed, Finished, Preview, Progress, is_final
from overpaint.core.model_info import ModelInfo
from overpaint.core.picture import Picture
from overpaint.core.ports import Clock, EngineClient
from overpaint.core.request import AdapterRef, GenerationRequest, OutputSpec
from overpaint.core.result import GenerationResult, PaintedImage, Timings
from overpaint.core.sizes import Canvas, Size, SizeRules

__all__ = [
    "AdapterRef",
    "BackendError",
    "CancelledTaskError",
    "Canvas",
    "CapacityError",
    "CheckpointError",
    "Clock",
    "ConfigError",
    "EngineClient",
    "EngineConfig",
    "Event",
    "Failed",
    "Finished",
    "GenerationRequest",
    "GenerationResult",
    "ModelConfig",
    "ModelInfo",
    "OutputSpec",
    "OverpaintError",
    "PaintedImage",
    "Picture",
    "PictureError",
    "Preview",
    "Progress",
    "RequestError",
    "Size",
    "SizeRules",
    "TaskError",
    "Timings",
    "is_final",
]

"""The dialect's row."""

from pathlib import Path

from overpaint.api.dialect import Dialect, joined
from overpaint.api.dialects.dashscope import compatible, generation, tasks, uploads
from overpaint.api.dialects.dashscope.convert import NAME
from overpaint.api.dialects.dashscope.errors import render_error

DASHSCOPE = Dialect(
    name=NAME,
    prefix="/dashscope",
    router=joined(generation.router, tasks.router, uploads.router, compatible.router),
    render_error=render_error,
    native_paths=("/api/v1/services/", "/api/v1/tasks", "/api/v1/uploads", "/compatible-mode/", "/oss"),
    hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
    models=Path(__file__).with_name("models.toml"),
)

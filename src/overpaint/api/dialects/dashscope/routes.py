"""The dialect's row."""

from pathlib import Path

from fastapi import APIRouter

from overpaint.api.dialect import Dialect
from overpaint.api.dialects.dashscope import compatible, generation, tasks, uploads
from overpaint.api.dialects.dashscope.convert import NAME
from overpaint.api.dialects.dashscope.errors import render_error


def _router() -> APIRouter:
    router = APIRouter()
    for part in (generation.router, tasks.router, uploads.router, compatible.router):
        router.include_router(part)
    return router


DASHSCOPE = Dialect(
    name=NAME,
    prefix="/dashscope",
    router=_router(),
    render_error=render_error,
    native_paths=("/api/v1/services/", "/api/v1/tasks", "/api/v1/uploads", "/compatible-mode/", "/oss"),
    hosts=("dashscope.aliyuncs.com", "dashscope-intl.aliyuncs.com", "dashscope-us.aliyuncs.com"),
    models=Path(__file__).with_name("models.toml"),
)

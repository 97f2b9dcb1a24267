"""The page at `/docs`, whose scripts and styles are this server's own: a browser asks no other host for anything."""

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

ASSETS = "docs-assets"
TAGS = [
    {
        "name": "tasks",
        "description": "Paint and edit. Authorize with a key first; the server's first start prints one.",
    },
    {"name": "files", "description": "Pictures that go in and come out."},
    {"name": "models", "description": "What can be asked for."},
    {"name": "accounts", "description": "Keys and usage."},
    {"name": "health", "description": "For whoever runs it."},
]
"""The server's own API comes first; the vendors' follow as they are added."""
PARAMETERS = {"persistAuthorization": True, "filter": True, "docExpansion": "none", "defaultModelsExpandDepth": -1}


def add_docs_page(app: FastAPI) -> None:
    """Add Swagger UI. Every address in it is relative, so that it works behind a proxy and below a prefix, too."""
    app.mount(f"/{ASSETS}", StaticFiles(packages=[("fastapi_swagger", "resources")]))

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title=f"{app.title}: the API",
            swagger_js_url=f"{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{ASSETS}/favicon-32x32.png",
            swagger_ui_parameters=PARAMETERS,
        )

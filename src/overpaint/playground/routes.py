"""The page's few routes of its own: signing in and out, uploads, frames, a session as a zip, its scripts and styles."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, StreamingResponse
from starlette.datastructures import UploadFile

from overpaint.core.errors import AccessError, OverpaintError, RequestError
from overpaint.playground import assets
from overpaint.playground.export import chunks, zip_session
from overpaint.playground.frames import HEADERS, changes
from overpaint.playground.handlers import Handlers
from overpaint.playground.parts import PageParts
from overpaint.playground.previews import Previews, upright_sides
from overpaint.playground.request_form import Reference
from overpaint.playground.sign_in import sign_in_page
from overpaint.playground.telling import sentence
from overpaint.playground.visitors import COOKIE, is_sent_by_others
from overpaint.playground.wording import LANGUAGES, words_of

MAX_AGE_S = 30 * 24 * 3600
MAX_TEXT_BYTES = 1024
SIGN_IN = "page/sign-in"
"""From the page."""
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_A_WEEK = {"Cache-Control": "private, max-age=604800, immutable", "X-Content-Type-Options": "nosniff"}


def page_router(parts: PageParts) -> APIRouter:
    """The routes over `parts`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/favicon.ico", response_model=None)
    async def icon() -> Response:
        return RedirectResponse(assets.url_of("mark.svg"))

    own = APIRouter(prefix="/page")
    _add_sign_in(own, parts)
    _add_files(own, parts)
    router.include_router(own)
    return router


def _add_sign_in(router: APIRouter, parts: PageParts) -> None:
    @router.get("/sign-in", response_class=HTMLResponse)
    async def ask_key(request: Request, language: str = "") -> HTMLResponse:
        return HTMLResponse(sign_in_page(_language(request, language)))

    @router.post("/sign-in", response_model=None)
    async def take_key(request: Request, language: str = "") -> Response:
        chosen = _language(request, language)
        if is_sent_by_others(request, parts.base_of(request)):  # who is signed in by them works under their eyes
            return HTMLResponse(sign_in_page(chosen), status_code=403)
        try:
            key = await _sent_key(request)
            await parts.service.keys.authenticate(key)
        except AccessError:
            return HTMLResponse(sign_in_page(chosen, is_wrong=True), status_code=401)
        answer = RedirectResponse(f"..{home_of(chosen)}", status_code=303)
        is_secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        path = parts.path_of(request) or "/"
        answer.set_cookie(COOKIE, key, MAX_AGE_S, path=path, httponly=True, samesite="lax", secure=is_secure)
        return answer

    @router.post("/sign-out", response_model=None)
    async def sign_out(request: Request) -> Response:
        answer = RedirectResponse("sign-in", status_code=303)
        answer.delete_cookie(COOKIE, parts.path_of(request) or "/")
        return answer


def _add_files(router: APIRouter, parts: PageParts) -> None:
    @router.get("/assets/{version}/{name}", response_model=None)
    async def asset(version: str, name: str) -> Response:
        del version  # only keeps old copies out of caches
        path = assets.find(name)
        if path is None:
            return Response(status_code=404)
        return Response(path.read_bytes(), media_type=assets.MEDIA_TYPES[path.suffix], headers=_FOREVER)

    @router.post("/pictures")
    async def take_picture(request: Request, language: str = "") -> JSONResponse:
        files, links = parts.service.files, parts.service.links
        try:
            caller = await parts.visitors.caller(request)
            data, name = await _sent_file(request)
            stored = await files.upload(files.reserve(caller), data, name)
        except OverpaintError as error:
            return JSONResponse({"message": sentence(error, words_of(_language(request, language)))}, status_code=400)
        width, height = upright_sides(data) or (0, 0)
        return JSONResponse(Reference(stored.key, links.link(stored.key), name, width, height).value)

    previews = Previews(parts.service.files)

    @router.api_route("/previews/{key:path}", methods=["GET", "HEAD"])
    async def preview(key: str, expires: str = "", signature: str = "") -> Response:
        """By the very link of the whole picture, which is the permission for both."""
        try:
            parts.service.links.check(key, expires, signature)
        except AccessError:
            return Response(status_code=403)
        return Response(await previews.of(key), media_type="image/webp", headers=_A_WEEK)

    @router.get("/frames", response_model=None)
    async def frames(request: Request, page: str, session: str = "", language: str = "") -> Response:
        await parts.visitors.caller(request)
        handlers = Handlers(parts, words_of(_language(request, language)))
        events = changes(handlers, request, page, session)
        return StreamingResponse(events, media_type="text/event-stream", headers=HEADERS)

    @router.get("/sessions/{session_id}.zip", response_model=None)
    async def export(request: Request, session_id: str) -> Response:
        caller = await parts.visitors.caller(request)
        file = await zip_session(parts.service, parts.sessions, caller, session_id)
        headers = {"Content-Disposition": f'attachment; filename="overpaint-{session_id[:8]}.zip"'}
        return StreamingResponse(chunks(file), media_type="application/zip", headers=headers)


async def _sent_key(request: Request) -> str:
    """The key in the form; no more than a key is read, for nobody knows yet who sends it."""
    async with request.form(max_files=0, max_fields=1, max_part_size=MAX_TEXT_BYTES) as form:
        key = form.get("key")
        return key.strip() if isinstance(key, str) else ""


async def _sent_file(request: Request) -> tuple[bytes, str]:
    """The picture in the form, and its name.

    Raises:
        RequestError: there is none.
    """
    async with request.form(max_files=1, max_fields=1, max_part_size=MAX_TEXT_BYTES) as form:
        file = form.get("file")
        if not isinstance(file, UploadFile):
            raise RequestError("file", None, "is required")
        return await file.read(), file.filename or "picture"


def home_of(language: str) -> str:
    """Where the page is in a language."""
    return "/" if language == "en" else f"/{language}"


def _language(request: Request, wanted: str) -> str:
    """The wanted one, else the first that the browser asks for and we have."""
    asked = (
        part.partition(";")[0].strip()[:2].lower() for part in request.headers.get("accept-language", "").split(",")
    )
    return next((language for language in (wanted, *asked) if language in LANGUAGES), "en")

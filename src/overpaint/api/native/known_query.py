"""Refuses what a call's query does not take, as bodies refuse fields: a filter with a typo would find everything."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant

from overpaint.api.errors import UnknownFieldError


async def known_query(request: Request) -> None:
    """A dependency of a whole router.

    Raises:
        UnknownFieldError: the route has no such parameter.
    """
    if not request.query_params:
        return
    known = list(_taken(request.scope["route"].dependant))
    for name, value in request.query_params.items():
        if name not in known:
            taken = f"this call takes {', '.join(known)}" if known else "this call takes none"
            raise UnknownFieldError(name, value, f"is not taken: {taken}")


def _taken(dependant: Dependant) -> Iterator[str]:
    """Names of query parameters, those of its dependencies too."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for below in dependant.dependencies:
        yield from _taken(below)

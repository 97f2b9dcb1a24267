"""The offer to go on in HTTP/2, taken out of a request's head and nothing else of it."""

import pytest

from overpaint.api.h2c import without_offer

JAVA = (
    b"POST /v1/images/generations HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 2\r\n"
    b"Host: localhost:8000\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\nUpgrade: h2c\r\n"
    b"User-Agent: Java-http-client/21\r\n\r\n{}"
)


def test_the_offer_of_javas_client_is_taken_out() -> None:
    assert without_offer(JAVA) == JAVA.replace(b"Upgrade: h2c\r\n", b"")


@pytest.mark.parametrize(
    "data",
    [
        JAVA.replace(b"h2c", b"websocket"),
        b"POST / HTTP/1.1\r\nContent-Length: 18\r\n\r\n\r\nUpgrade: h2c\r\n\r\n",
        b"\r\nUpgrade: h2c\r\n",
        b"POST / HTTP/1.1\r\nHost: a",
        b"",
    ],
)
def test_nothing_else_is_touched(data: bytes) -> None:
    assert without_offer(data) == data


def test_an_offer_at_the_end_of_what_came_is_taken_out() -> None:
    assert without_offer(b"GET / HTTP/1.1\r\nupgrade:h2c\r\n") == b"GET / HTTP/1.1\r\n"

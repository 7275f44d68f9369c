"""A response reaches the client, although it does not read before it has sent everything."""

import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from support.http_server import BODY_LIMIT, RunningServer, http_server

LARGE = 15_000_000
"""More than the buffers of both sides hold, and less than the limit."""

TOO_LARGE = 20_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with http_server() as running:
        yield running


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
@pytest.mark.parametrize(
    ("request_line", "size", "status"),
    [(b"POST /size", TOO_LARGE, 413), (b"POST /nothing", LARGE, 404), (b"POST /health/live", LARGE, 405)],
)
def test_a_refused_body_ends_with_the_response(
    server: RunningServer, connection: bytes, request_line: bytes, size: int, status: int
) -> None:
    head = b"%s HTTP/1.1\r\nHost: h\r\nConnection: %s\r\n" % (request_line, connection)
    client = server.send(head, b"Content-Length: %d\r\n\r\n" % size, b"x" * size)
    assert client.read().status == status
    if connection == b"close":
        assert client.is_ended()
    else:
        assert client.send(b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n").read().status == 200


def test_so_does_one_without_a_length(server: RunningServer) -> None:
    head = b"POST /size HTTP/1.1\r\nHost: h\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%s\r\n" % (TOO_LARGE // 8, b"x" * (TOO_LARGE // 8))
    client = server.send(head, chunk * 8, b"0\r\n\r\n")
    answer = client.read()
    assert (answer.status, answer.problem["limit_bytes"]) == (413, BODY_LIMIT)
    assert client.is_ended()


def test_urllib_gets_the_problem(server: RunningServer) -> None:
    url = f"http://127.0.0.1:{server.port}/size"
    request = urllib.request.Request(url, data=b"x" * TOO_LARGE, method="POST")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)  # noqa: S310 - our own server
    with caught.value as error:
        assert (error.code, error.headers["content-type"]) == (413, "application/problem+json")


def test_what_is_read_on_is_bounded(server: RunningServer) -> None:
    client = server.send(b"POST /size HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000000\r\n\r\n")
    with pytest.raises(ConnectionError):
        client.send(*[b"x" * 1_000_000] * 100)


def test_a_body_that_waits_to_be_asked_for_is_asked_for_or_the_connection_ends(server: RunningServer) -> None:
    expecting = b"HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    refused = server.send(b"POST /nothing ", expecting)
    answer = refused.read()
    assert (answer.status, answer.headers["connection"]) == (404, "close")
    assert refused.is_ended()
    accepted = server.send(b"POST /size ", expecting)
    assert accepted.socket.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
    answer = accepted.send(b"abc").read()
    assert (answer.status, answer.body) == (200, b'{"bytes":3}')
    assert "connection" not in answer.headers


def test_a_large_response_reaches_a_slow_reader_whole(server: RunningServer) -> None:
    client = server.send(b"GET /large/8000000 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert len(client.read().body) == 8_000_002
    assert client.is_ended()

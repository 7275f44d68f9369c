"""Heads of requests: limits, and refusals of what is not HTTP/1.1 or HTTP/1.0."""

from collections.abc import Iterator

import pytest
from support.http_server import RunningServer, http_server
from support.service import wait_for

HEAD_LIMIT = 65_536
TARGET_LIMIT = 8_192
CHUNK = b"x" * 65_536

GET = b"GET /health/live HTTP/1.1\r\nHost: h\r\n"
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
"""What Java's client sends with each first request."""


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with http_server() as running:
        yield running


def head_of(size: int) -> bytes:
    """A head of exactly this many bytes, apart from the method, the version and line ends."""
    counted = len("/health/live") + len("Host") + len("h") + 4
    name = b"X-Padding"
    return GET + name + b": " + b"x" * (size - counted - len(name) - 4) + b"\r\n\r\n"


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        pytest.param(
            [GET, b"X-Large: ", *[CHUNK] * 32, b"\r\n\r\n"], 431, "headers_too_large", id="2 MB header"
        ),
        pytest.param([GET, b"X-Large: ", CHUNK, b"x"], 431, "headers_too_large", id="no end of the header"),
        pytest.param([head_of(HEAD_LIMIT + 1)], 431, "headers_too_large", id="a byte over the limit"),
        pytest.param([GET, b"X-N: 1\r\n" * 100, b"\r\n"], 431, "headers_too_large", id="101 headers"),
        pytest.param([GET, b"Accept: ", b";" * 257, b"\r\n\r\n"], 431, "headers_too_large", id="Accept"),
        pytest.param(
            [GET, b"content-type: ", b";" * 257, b"\r\n\r\n"], 431, "headers_too_large", id="Content-Type"
        ),
        pytest.param([b"GET /path/", b"x" * 8192, b" HTTP/1.1\r\n"], 414, "uri_too_long", id="long target"),
        pytest.param([b"GET /path/", *[CHUNK] * 8], 414, "uri_too_long", id="no end of the target"),
        pytest.param([b"GET /health/live HTTP/1.1\r\n\r\n"], 400, "malformed_request", id="no Host"),
        pytest.param([GET, b"Host: other\r\n\r\n"], 400, "malformed_request", id="two Hosts"),
        pytest.param([b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"], 400, "malformed_request", id="no host's name"),
        pytest.param([b"GET / HTTP/0.9\r\nHost: h\r\n\r\n"], 400, "malformed_request", id="HTTP/0.9"),
        pytest.param([b"GET /\r\n\r\n"], 400, "malformed_request", id="no version"),
        pytest.param([b"GET / HTTP/2.0\r\nHost: h\r\n\r\n"], 400, "malformed_request", id="HTTP/2.0"),
        pytest.param(
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], 400, "malformed_request", id="HTTP/2's first bytes"
        ),
        pytest.param([b"\x16\x03\x01\x02\x00\x01\x00"], 400, "malformed_request", id="TLS"),
        pytest.param(
            [b"CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n"], 400, "malformed_request", id="CONNECT"
        ),
        pytest.param([GET, b"no colon\r\n\r\n"], 400, "malformed_request", id="no header"),
    ],
)
def test_a_bad_head_is_a_problem_and_ends_the_connection(
    server: RunningServer, sent: list[bytes], status: int, code: str
) -> None:
    client = server.send(*sent)
    answer = client.read()
    assert (answer.status, answer.problem["code"]) == (status, code)
    assert answer.headers["connection"] == "close"
    assert client.is_ended()


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(head_of(HEAD_LIMIT), id="at the limit"),
        pytest.param(GET + b"X-N: 1\r\n" * 99 + b"\r\n", id="100 headers"),
        pytest.param(GET + b"Accept: " + b"x" * 256 + b"\r\n\r\n", id="256 bytes of Accept"),
        pytest.param(GET + b"Authorization: Bearer " + b"x" * 8000 + b"\r\n\r\n", id="a long token"),
        pytest.param(
            b"GET /path/" + b"x" * (TARGET_LIMIT - 6) + b" HTTP/1.1\r\nHost: h\r\n\r\n", id="long target"
        ),
        pytest.param(b"GET /health/live HTTP/1.0\r\n\r\n", id="HTTP/1.0 without Host"),
        pytest.param(b"GET /health/live HTTP/1.1\r\nHost: [::1]:8208\r\n\r\n", id="IPv6"),
        pytest.param(b"GET /health/live HTTP/1.1\r\nHost:\r\n\r\n", id="empty Host"),
        pytest.param(b"GET http://h/health/live HTTP/1.1\r\nHost: h\r\n\r\n", id="absolute form"),
        pytest.param(GET + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n", id="an upgrade is ignored"),
        pytest.param(b"\r\n" + GET + b"\r\n", id="an empty line first"),
    ],
)
def test_what_is_within_the_limits_is_served(server: RunningServer, sent: bytes) -> None:
    assert server.send(sent[:100], sent[100:]).read().status == 200


def test_a_large_body_in_one_piece_with_its_head_is_no_large_head(server: RunningServer) -> None:
    head = b"POST /size HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n\r\n"
    assert server.send(head + b"x" * 200_000).read().body == b'{"bytes":200000}'


def test_trailers_are_limited_and_do_not_become_headers(server: RunningServer) -> None:
    head = b"POST /size HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    accepted = server.send(head + b"X-Request-Id: trailer\r\n\r\n").read()
    assert (accepted.status, accepted.body) == (200, b'{"bytes":3}')
    assert accepted.headers["x-request-id"] != "trailer"
    client = server.send(head, b"X-Large: ", *[CHUNK] * 16)
    assert client.read().problem["code"] == "headers_too_large"
    assert client.is_ended()


@pytest.mark.parametrize("parts", [1, 2])
def test_an_offer_of_http_2_loses_no_body(server: RunningServer, parts: int) -> None:
    head = b"POST /size HTTP/1.1\r\nHost: h\r\n" + H2C + b"Content-Length: 5\r\n\r\n"
    client = server.send(head + b"hello") if parts == 1 else server.send(head, b"hello")
    assert client.read().body == b'{"bytes":5}'
    assert client.send(GET, b"\r\n").read().status == 200


def test_an_offer_that_can_not_be_ignored_is_refused(server: RunningServer) -> None:
    client = server.send(GET + b"\r\n" + GET + H2C + b"\r\n")  # another request is before it
    assert [client.read().status, client.read().status] == [200, 400]
    assert client.is_ended()


def test_a_broken_chunk_is_a_problem_of_its_request(server: RunningServer) -> None:
    client = server.send(b"POST /size HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nabc")
    answer = client.read()
    assert (answer.status, answer.problem["code"]) == (400, "malformed_request")
    assert client.is_ended()


def test_a_refusal_is_logged_and_counted_as_a_request_and_keeps_the_caller_s_id() -> None:
    with http_server() as server:
        answer = server.send(b"GET / HTTP/1.1\r\nX-Request-Id: mine\r\n\r\n").read()
        assert answer.problem["request_id"] == "mine"
        counted = {"route": "unmatched", "method": "GET", "status": "4xx"}
        wait_for(lambda: server.metric("wallet_http_requests_total", **counted) == 1)
        refused = "wallet_http_heads_refused_total"
        assert server.metric(refused, code="malformed_request") == 1
        wait_for(lambda: len(server.lines("request")) == 1)
        (line,) = server.lines("request")
        assert (line["status"], line["method"], line["route"]) == (400, "GET", None)
        assert server.send(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: h\r\n\r\n").read().status == 414
        assert server.metric(refused, code="uri_too_long") == 1
        assert server.metric(refused, code="headers_too_large") == 0


def test_responses_keep_their_order_when_a_bad_request_follows() -> None:
    with http_server() as server:
        client = server.send(b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n", GET, b"\r\n", b"broken\r\n\r\n")
        server.release()
        assert [client.read().status for _ in range(3)] == [200, 200, 400]
        assert client.is_ended()


def test_a_refusal_has_nothing_of_the_request_before(server: RunningServer) -> None:
    client = server.send(b"HEAD /health/live HTTP/1.1\r\nHost: h\r\nX-Request-Id: first\r\n\r\n")
    assert client.read("HEAD").headers["x-request-id"] == "first"
    assert client.send(b"\x16\x03\x01\r\n").read().problem["request_id"] != "first"

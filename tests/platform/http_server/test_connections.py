"""Deadlines of connections, how many there may be, file handles, and the end."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.http_server import Client, RunningServer, http_server
from support.service import wait_for

from wallet_service.platform.http_server import limits

GET = b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: h\r\n\r\n"
POST = b"POST /size HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n"
LIMIT = 16


@pytest.fixture
def hasty() -> Iterator[RunningServer]:
    """A server that waits as short as it can be set to."""
    with http_server(keep_alive_ms=1000, head_timeout_ms=100, body_timeout_ms=100) as running:
        yield running


@pytest.mark.parametrize("before", [b"", GET])
def test_a_silent_connection_is_closed_also_before_its_first_request(
    hasty: RunningServer, before: bytes
) -> None:
    client = hasty.send(before)
    if before:
        client.read()
    assert client.is_ended()


@pytest.mark.parametrize(
    ("sent", "part"), [(GET[:-2], "head"), (GET[:1], "head"), (POST, "body"), (POST + b"x", "body")]
)
def test_a_request_that_stops_is_refused(hasty: RunningServer, sent: bytes, part: str) -> None:
    closed = {"name": "wallet_http_connections_closed_total", "reason": f"{part}_timeout"}
    before = hasty.metric(**closed)
    client = hasty.send(sent)
    answer = client.read()
    assert (answer.status, answer.problem["code"]) == (408, "request_timeout")
    assert part in answer.problem["detail"]
    assert client.is_ended()
    assert hasty.metric(**closed) == before + 1


def test_a_request_under_way_has_no_deadline(hasty: RunningServer) -> None:
    client = hasty.send(HELD)
    assert hasty.connect().is_ended()  # a second later
    hasty.release()
    assert client.read().status == 200


def test_at_the_limit_health_is_still_checked() -> None:
    with http_server(max_connections=LIMIT) as server:
        busy = [server.send(HELD) for _ in range(LIMIT)]
        wait_for(lambda: server.held == LIMIT)
        refused, health = server.send(HELD).read(), server.send(GET).read()
        assert (refused.status, refused.problem["code"]) == (503, "overloaded")
        assert refused.headers["retry-after"] == "1"
        assert (health.status, health.headers["connection"]) == (200, "close")
        assert server.metric("wallet_http_connections_refused_total") == 1
        assert server.metric("wallet_http_connections") >= server.metric("wallet_http_connections_limit") > 0
        (line,) = server.lines("connections_at_limit")
        assert (line["log_level"], line["limit"]) == ("warning", LIMIT)
        server.release()
        assert {client.read().status for client in busy} == {200}
        for client in busy:
            client.close()
        wait_for(lambda: bool(server.lines("connections_below_limit")))


def test_an_idle_connection_gives_way_the_one_that_never_had_a_request_first() -> None:
    with http_server(max_connections=LIMIT) as server:
        used = [server.send(GET) for _ in range(LIMIT - 1)]
        assert {client.read().status for client in used} == {200}
        silent = server.connect()
        wait_for(lambda: server.metric("wallet_http_connections") == LIMIT)
        wait_for(lambda: served_and_kept(server))
        assert silent.is_ended()
        assert server.metric("wallet_http_connections_closed_total", reason="limit") >= 1
        assert used[-1].send(GET).read().status == 200


def served_and_kept(server: RunningServer) -> bool:
    """Whether another connection is served like any other, once there is one that is idle for long enough."""
    client = server.send(GET)
    is_kept = "connection" not in client.read().headers
    if not is_kept:
        client.close()
    return is_kept


@contextmanager
def no_file_handles_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    spare = os.dup(0)  # the lowest free number: a limit of it allows no other
    os.close(spare)
    resource.setrlimit(resource.RLIMIT_NOFILE, (spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_file_handles_it_says_so_and_goes_on_later() -> None:
    with http_server() as server, socket.socket() as waiting:
        waiting.settimeout(60)
        with no_file_handles_left():
            waiting.connect(("127.0.0.1", server.port))
            wait_for(lambda: server.metric("wallet_http_accept_failures_total") >= 2)
        waiting.sendall(GET)
        assert waiting.recv(12) == b"HTTP/1.1 200"
        (line,) = server.lines("accept_failed")
        assert (line["log_level"], line["error"]) == ("error", "Too many open files")
        wait_for(lambda: served_and_kept(server) and bool(server.lines("accept_works_again")))
        assert len(server.lines("accept_failed")) == len(server.lines("accept_works_again")) == 1


def test_a_stop_is_quick_and_quiet_whatever_is_half_sent() -> None:
    with http_server(shutdown_grace_ms=300_000) as server:
        idle, in_head, in_body, refused = map(server.send, [GET, GET[:-2], POST + b"x", b"broken\r\n\r\n"])
        idle.read(), refused.read()
        wait_for(lambda: server.metric("wallet_http_requests_in_flight") == 1)
        server.begin_stop()
        for client in (in_head, in_body):
            answer = client.read()
            assert (answer.status, answer.problem["code"]) == (503, "unavailable")
            assert "stop" in answer.problem["detail"]
        assert idle.is_ended()
        server.stop()
        assert server.tracebacks == []


def test_a_stop_answers_what_is_under_way_and_cuts_the_rest_off_without_a_traceback() -> None:
    with http_server(shutdown_grace_ms=1) as server:
        client = server.send(HELD)
        wait_for(lambda: server.held == 1)
        server.begin_stop()
        assert client.read().problem["code"] == "unavailable"
        server.stop()
        assert not any(line.get("exc_info") for line in server.log)


def test_a_body_that_arrives_has_the_time_it_needs(hasty: RunningServer) -> None:
    size = 10_000_000
    head = b"POST /size HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (size + 1)
    client = hasty.send(head, b"x" * size)
    assert hasty.send(POST).read().status == 408  # so the deadline is over
    assert client.send(b"x").read().body == b'{"bytes":%d}' % (size + 1)


def test_a_response_that_is_not_read_ends_the_connection(
    hasty: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEND_S", 0.1)
    hasty.send(b"GET /large/50000000 HTTP/1.1\r\nHost: h\r\n\r\n")
    wait_for(lambda: hasty.metric("wallet_http_connections_closed_total", reason="send_timeout") == 1)


def test_a_refused_connection_that_its_client_keeps_is_closed(
    hasty: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINGER_IDLE_S", 0.1)
    wait_for(lambda: hasty.metric("wallet_http_connections") == 0)
    client = hasty.send(b"broken\r\n\r\n")
    assert client.read().status == 400
    assert client.is_ended()
    wait_for(lambda: hasty.metric("wallet_http_connections") == 0)


def test_a_client_that_is_closed_closes_the_connection(hasty: RunningServer) -> None:
    client: Client = hasty.send(GET)
    client.read()
    count = hasty.metric("wallet_http_connections")
    client.close()
    wait_for(lambda: hasty.metric("wallet_http_connections") < count)

"""How a try is sent: answers that dribble, connections, TLS, proxies; and who else looks at it."""

import asyncio
import logging
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpcore
import httpx
import pytest
from support.certificates import write_certificate
from support.slow_server import HEAD, RESPONSE, slow_server
from wallet_client import (
    AsyncWalletClient,
    NoAnswer,
    OutcomeUnknown,
    WalletClient,
)
from wallet_client._deadline import within
from wallet_client._transport import _addresses, _Backend, hold_to_deadline
from wallet_client.testing import FakeWallet

ID = "0199d0a8-0000-7000-8000-0000000000aa"


DRIBBLES = {
    "its head": (b"HTTP/1.1 200 OK\r\nX-A: ", b""),
    "a head without end": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
    "what goes before it": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
    "its body": (HEAD, b""),
}


@pytest.mark.parametrize("what", DRIBBLES)
async def test_an_answer_that_dribbles_does_not_outlast_the_time_of_a_try(what: str) -> None:
    async with slow_server(*DRIBBLES[what], 200, 0.1) as url:
        async with AsyncWalletClient(url, api_key="a-key", timeout_s=0.4, max_retries=0) as client:
            began = time.monotonic()
            with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
                await client.consume(ID, 1)
            assert time.monotonic() - began < 2

        def consume() -> float:
            with WalletClient(url, api_key="a-key", timeout_s=0.4, max_retries=0) as client:
                began = time.monotonic()
                with pytest.raises(OutcomeUnknown, match="ReadTimeout"):
                    client.consume(ID, 1)
                return time.monotonic() - began

        assert await asyncio.to_thread(consume) < 2


def test_a_service_that_reads_slowly_does_not_outlast_the_time_of_a_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def read_slowly() -> None:
            connection, _ = listening.accept()
            with connection:
                while not over.wait(0.05):  # never silent for as long as a try may take
                    connection.recv(100_000)

        reading = threading.Thread(target=read_slowly)
        reading.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        try:
            with WalletClient(url, api_key="a-key", timeout_s=0.4, max_retries=0) as client:
                began = time.monotonic()
                with pytest.raises(OutcomeUnknown, match="WriteTimeout"):
                    client.consume(ID, 1, description="a" * 20_000_000)
                assert time.monotonic() - began < 2
        finally:
            over.set()
            reading.join()


def test_a_connection_is_kept_and_a_lost_one_replaced() -> None:
    accepted = 0
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer_twice_and_hang_up() -> None:
            nonlocal accepted
            for _ in range(2):
                connection, _ = listening.accept()
                accepted += 1
                with connection:
                    for _ in range(2):
                        connection.recv(65536)
                        connection.sendall(HEAD + RESPONSE)

        serving = threading.Thread(target=answer_twice_and_hang_up)
        serving.start()
        url = f"http://localhost:{listening.getsockname()[1]}"  # whose other address nobody listens at
        with WalletClient(url, api_key="a-key") as client:
            for _ in range(4):
                assert client.get_credits("u").balance == 1
        serving.join()
    assert accepted == 2


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Of localhost, with its key."""
    return write_certificate(tmp_path / "certificate.pem")


def test_it_speaks_tls_and_checks_whom_it_speaks_to(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    listening = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        for _ in range(2):
            accepted, _ = listening.accept()
            with suppress(ssl.SSLError), context.wrap_socket(accepted, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(HEAD + RESPONSE)

    with listening, ThreadPoolExecutor(1) as threads:
        answering = threads.submit(answer)
        url = f"https://localhost:{listening.getsockname()[1]}"
        with (
            WalletClient(url, api_key="a-key", max_retries=0) as client,
            pytest.raises(NoAnswer, match="ConnectError"),
        ):
            client.get_credits("u")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        with WalletClient(url, api_key="a-key", max_retries=0) as client:
            assert client.get_credits("u").balance == 1
        answering.result(20)


def test_a_tls_handshake_that_is_never_answered_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        with WalletClient(url, api_key="a-key", timeout_s=0.3, max_retries=0) as client:
            began = time.monotonic()
            with pytest.raises(NoAnswer, match=f"ConnectTimeout at {url}"):
                client.get_credits("u")
            assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "proxies",
    [
        {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"},
        {"HTTPS_PROXY": "http://127.0.0.1:9"},
        {"HTTP_PROXY": "the server"},
    ],
    ids=["none for this host", "none for this scheme", "it is what dribbles"],
)
async def test_the_time_of_a_try_holds_whatever_proxies_the_environment_names(
    proxies: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with slow_server(*DRIBBLES["its head"], 200, 0.1) as url:
        for name, value in proxies.items():
            monkeypatch.setenv(name, url if value == "the server" else value)

        def get() -> float:
            with WalletClient(url, api_key="a-key", timeout_s=0.4, max_retries=0) as client:
                began = time.monotonic()
                with pytest.raises(NoAnswer, match="ReadTimeout"):
                    client.get_credits("u")
                return time.monotonic() - began

        assert await asyncio.to_thread(get) < 2


def test_a_tunnel_through_a_proxy_ends_in_time_too(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    over = threading.Event()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.delenv("NO_PROXY", raising=False)

    def tunnel() -> None:
        accepted, _ = listening.accept()
        accepted.settimeout(60)
        assert accepted.recv(65536).startswith(b"CONNECT localhost:9 HTTP/1.1")
        accepted.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        with suppress(OSError), context.wrap_socket(accepted, server_side=True) as connection:
            connection.recv(65536)
            connection.sendall(HEAD + RESPONSE)
            connection.recv(65536)
            while not over.wait(0.1):
                connection.sendall(b"a")

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor(1) as threads:
        listening.settimeout(60)  # a client that never comes must not hold up the end
        tunnelling = threads.submit(tunnel)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{listening.getsockname()[1]}")
        try:
            with WalletClient("https://localhost:9", api_key="a-key", timeout_s=3, max_retries=0) as client:
                assert client.get_credits("u").balance == 1
                began = time.monotonic()
                with pytest.raises(NoAnswer, match="ReadTimeout"):
                    client.get_credits("u")
                assert time.monotonic() - began < 30
        finally:
            over.set()
        tunnelling.result(60)


async def test_a_call_within_a_call_has_its_own_time() -> None:
    """Of a handler of a signal, or of the log of httpcore, which is told in the middle of the outer call."""
    ended = list[str]()

    class Nested(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if not ended and record.getMessage().startswith("receive_response_headers.started"):
                ended.append("begun")
                with pytest.raises(NoAnswer, match="ReadTimeout"):
                    outer.with_options(timeout_s=0.1).get_credits("u")
                ended.append("ended")

    log, handler = logging.getLogger("httpcore.http11"), Nested()
    async with slow_server(b"", HEAD + RESPONSE, 11, 0.05) as url:
        with WalletClient(url, api_key="a-key", timeout_s=10, max_retries=0) as outer:
            log.addHandler(handler)
            log.setLevel(logging.DEBUG)
            try:
                assert (await asyncio.to_thread(outer.get_credits, "u")).balance == 1
            finally:
                log.setLevel(logging.NOTSET)
                log.removeHandler(handler)
    assert ended == ["begun", "ended"]


def test_who_wraps_the_transport_of_httpx_sees_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """As instrumentations do, and what keeps tests off the network."""
    seen: list[httpx.URL] = []

    def refuse(_: httpx.HTTPTransport, request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        raise httpx.ConnectError("no network in tests", request=request)

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", refuse)
    with (
        WalletClient("http://wallet", api_key="a-key", max_retries=0) as client,
        pytest.raises(NoAnswer, match="ConnectError"),
    ):
        client.get_credits("u")
    assert [str(each) for each in seen] == ["http://wallet/api/v1/users/u/credits/balance"]


def test_another_httpx_that_keeps_its_connections_elsewhere_is_left_as_it_is() -> None:
    for http in (httpx.Client(transport=FakeWallet()), httpx.Client()):
        if isinstance(pool := vars(http._transport).pop("_pool", None), httpcore.ConnectionPool):
            pool.close()
        hold_to_deadline(http)


def test_an_address_of_one_interface_names_it() -> None:
    _, interface = socket.if_nameindex()[0]
    assert _addresses(f"fe80::1%{interface}", 80) == [f"fe80::1%{interface}"]


def test_what_can_be_no_name_of_a_host_is_no_answer() -> None:
    with (
        WalletClient("http://a..b", api_key="a-key", max_retries=0) as client,
        pytest.raises(NoAnswer, match="ConnectError"),
    ):
        client.get_credits("u")


def test_a_connection_whose_time_is_over_before_tls_is_closed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        stream = _Backend(httpcore.SyncBackend()).connect_tcp(*listening.getsockname())
        with within(0), pytest.raises(httpcore.ConnectTimeout):
            stream.start_tls(ssl.create_default_context(), "localhost")
    assert stream.get_extra_info("socket").fileno() == -1


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard: list[bytes] = []

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(HEAD + RESPONSE)

        serving = threading.Thread(target=answer)
        serving.start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        with WalletClient("http://wallet.example", api_key="a-key") as client:
            assert client.get_credits("u").balance == 1
        serving.join()
    assert heard[0].startswith(b"GET http://wallet.example/api/v1/users/u/credits/balance HTTP/1.1")

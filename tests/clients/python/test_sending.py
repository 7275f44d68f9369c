"""Both clients where calls are cancelled, answers dribble, connections are scarce, or the client is closed."""

import asyncio
import json
import random
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from wallet_client import (
    AsyncWalletClient,
    ClientClosed,
    NoAnswer,
    OutcomeUnknown,
    WalletClient,
    WalletError,
)
from wallet_client.testing import FakeWallet

ID = "0199d0a8-0000-7000-8000-0000000000aa"
CREDITS = {"user_id": "u", "wallet_id": ID, "currency": "CREDIT", "balance": "1", "available_balance": "1"}
ANSWER = json.dumps(CREDITS).encode().ljust(2000)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2000\r\n\r\n"


@asynccontextmanager
async def server(head: bytes, part: bytes, parts: int, pause_s: float) -> AsyncIterator[str]:
    """Answers each request with a head, and then so many parts, after a pause each."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head)
                for number in range(parts):
                    await asyncio.sleep(pause_s)
                    writer.write(part[number * 200 : (number + 1) * 200] or b"a")
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


async def test_a_client_whose_calls_were_cancelled_goes_on() -> None:
    """httpcore 1.0.9 alone loses a connection of the pool for each that is cancelled at the wrong moment."""
    chance = random.Random(5)  # noqa: S311 - the same each time
    async with (
        server(HEAD, ANSWER, 10, 0.002) as url,
        AsyncWalletClient(url, api_key="a-key", max_connections=5, timeout_s=5, max_retries=0) as client,
    ):
        loop = asyncio.get_running_loop()
        tasks: list[asyncio.Task[object]] = []
        for number in range(600):
            tasks.append(asyncio.create_task(client.get_credits("u")))
            loop.call_later(chance.random() * 0.03, tasks[-1].cancel)
            if number % 20 == 0:
                await asyncio.sleep(0.01)
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(each, asyncio.CancelledError) for each in ended) > 500

        good = await asyncio.gather(*(client.get_credits("u") for _ in range(10)))
        assert [each.balance for each in good] == [1] * 10


async def test_a_cancelled_call_that_waits_for_a_connection_is_not_sent() -> None:
    fake = FakeWallet()
    gate = asyncio.Event()

    async def handle(request: httpx.Request) -> httpx.Response:
        await gate.wait()
        return await fake.handle_async_request(request)

    async with AsyncWalletClient(
        "http://wallet", api_key="x", transport=httpx.MockTransport(handle), max_connections=1
    ) as client:
        first = asyncio.create_task(client.get_credits("one"))
        await asyncio.sleep(0)
        second = asyncio.create_task(client.get_credits("two"))
        await asyncio.sleep(0)
        second.cancel()
        gate.set()
        await first
        assert (await client.get_credits("three")).balance == 0
    assert [call.path.split("/")[4] for call in fake.calls] == ["one", "three"]


DRIBBLES = {
    "its head": (b"HTTP/1.1 200 OK\r\nX-A: ", b""),
    "a head without end": (b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000),
    "what goes before it": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000),
    "its body": (HEAD, b""),
}


@pytest.mark.parametrize("what", DRIBBLES)
async def test_an_answer_that_dribbles_does_not_outlast_the_time_of_a_try(what: str) -> None:
    async with server(*DRIBBLES[what], 200, 0.1) as url:
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
                        connection.sendall(HEAD + ANSWER)

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
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "certificate.pem"
    pem = serialization.Encoding.PEM
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(made.public_bytes(pem) + key.private_bytes(pem, *plain))
    return file


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
                connection.sendall(HEAD + ANSWER)

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
            with pytest.raises(NoAnswer, match="ConnectTimeout"):
                client.get_credits("u")
            assert time.monotonic() - began < 2


def test_the_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard: list[bytes] = []

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536))
                connection.sendall(HEAD + ANSWER)

        serving = threading.Thread(target=answer)
        serving.start()
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        with WalletClient("http://wallet.example", api_key="a-key") as client:
            assert client.get_credits("u").balance == 1
        serving.join()
    assert heard[0].startswith(b"GET http://wallet.example/api/v1/users/u/credits/balance HTTP/1.1")


def test_threads_that_wait_for_a_connection_end_within_the_budget() -> None:
    free = threading.Event()

    def hold(_: httpx.Request) -> httpx.Response:
        assert free.wait(20)
        return httpx.Response(200, json=CREDITS)

    with (
        WalletClient(
            "http://wallet",
            api_key="x",
            transport=httpx.MockTransport(hold),
            max_connections=1,
            retry_budget_s=0.5,
            max_retries=0,
        ) as client,
        ThreadPoolExecutor(4) as threads,
    ):
        first = threads.submit(client.get_credits, "u")
        while client._free._value:
            time.sleep(0)

        def wait(_: int) -> float:
            began = time.monotonic()
            with pytest.raises(NoAnswer, match="PoolTimeout"):
                client.get_credits("u")
            return time.monotonic() - began

        assert max(threads.map(wait, range(3))) < 0.5
        free.set()
        assert first.result(20).balance == 1


async def test_a_closed_client_says_so() -> None:
    fake = FakeWallet()
    client, aclient = fake.client(), fake.async_client()
    client.close()
    await aclient.aclose()
    with pytest.raises(ClientClosed):
        client.consume(ID, 1)
    with pytest.raises(ClientClosed):
        await aclient.consume(ID, 1)
    assert fake.calls == []


def test_a_client_that_is_closed_between_two_tries_forgets_no_open_one() -> None:
    fake = FakeWallet()
    client = fake.client(on_retry=lambda _: client.close())
    fake.fail_next(httpx.ReadTimeout, after=True)
    with pytest.raises(OutcomeUnknown) as caught:
        client.consume(ID, 1, idempotency_key="k")
    assert isinstance(caught.value.__cause__, ClientClosed)
    assert caught.value.idempotency_key == "k"


async def test_a_client_that_is_closed_while_it_waits_for_an_answer_cancels_nobody() -> None:
    sent = asyncio.Event()

    async def hold(_: httpx.Request) -> httpx.Response:
        sent.set()
        await asyncio.Event().wait()
        raise AssertionError

    client = AsyncWalletClient("http://wallet", api_key="x", transport=httpx.MockTransport(hold))
    call = asyncio.create_task(client.consume(ID, 1))
    await sent.wait()
    await client.aclose()
    with pytest.raises(OutcomeUnknown) as caught:
        await call
    assert isinstance(caught.value.__cause__, ClientClosed)


async def test_options_for_some_calls_share_the_rest() -> None:
    fake = FakeWallet()
    with fake.client() as client:
        quick = client.with_options(max_retries=0, timeout_s=0.5)
        fake.fail_next(503, times=2)
        with pytest.raises(WalletError):
            quick.credits.balance("u")
        assert client.credits.balance("u").balance == 0
        assert client.metrics.snapshot().calls == 2
        with pytest.raises(TypeError, match="max_connections"):
            client.with_options(max_connections=3)  # pyright: ignore[reportCallIssue]
    async with fake.async_client() as aclient:
        assert (await aclient.with_options(retry_budget_s=2).get_credits("u")).balance == 0
    with pytest.raises(ClientClosed):
        quick.get_credits("u")


async def test_a_mock_of_a_client_has_its_calls_and_their_parameters() -> None:
    made = mock.create_autospec(WalletClient, instance=True)
    made.consume("w", 1)
    made.transactions.batch([])
    with pytest.raises(TypeError):
        made.consume("w", 1, amuont=2)
    amade = mock.create_autospec(AsyncWalletClient, instance=True)
    await amade.consume("w", 1)
    await amade.transactions.batch([])
    with (
        mock.patch.object(WalletClient, "consume", autospec=True) as patched,
        FakeWallet().client() as client,
    ):
        client.consume("w", 1)
    patched.assert_called_once_with(client, "w", 1)


def test_a_subclass_may_override_a_call() -> None:
    class Own(WalletClient):
        def get_credits(self, user_id: str) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
            return user_id

    class Further(Own):
        pass

    with Further("http://wallet", api_key="x", transport=FakeWallet()) as client:
        assert client.get_credits("u") == "u"
        assert client.credits.balance("u").balance == 0

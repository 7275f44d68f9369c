"""One attempt of a webhook, to receivers that are slow, wrong, gone, redirecting, or elsewhere than they seem."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError
from support.polling import wait_until
from support.webhook_receiver import Receiver

from wallet_service.delivery.webhooks.destinations import DestinationRefused, Destinations, HostUnknown
from wallet_service.delivery.webhooks.lookups import Lookups
from wallet_service.delivery.webhooks.sender import KEPT_BODY_CHARACTERS, Sender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
BODY = '{"specversion":"1.0","id":"1"}'
LONG_S = 60.0


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender(Destinations([ip_network("127.0.0.0/8")]), timeout_s=LONG_S)
    yield made
    await made.close()


async def test_the_reference_library_accepts_it(receiver: Receiver, sender: Sender) -> None:
    attempt = await sender.send(receiver.url, "msg_1", BODY, [SECRET, OTHER])
    assert (attempt.succeeded, attempt.status, attempt.error) == (True, 204, None)
    [(headers, body)] = receiver.seen
    assert body == BODY
    for secret in (SECRET, OTHER):  # while a secret is rotated, both are valid
        assert Webhook(secret).verify(body, headers) == {"specversion": "1.0", "id": "1"}
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_AAAA").verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + " ", headers)


async def test_a_slow_receiver_ends_at_the_limit(receiver: Receiver) -> None:
    async def never(_: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    receiver.handler = never
    sender = Sender(Destinations([ip_network("127.0.0.0/8")]), timeout_s=0.2)
    attempt = await sender.send(receiver.url, "msg_1", BODY, [SECRET])
    await sender.close()
    assert (attempt.status, attempt.error, attempt.succeeded) == (None, "timeout", False)


async def test_a_receiver_that_drips_ends_at_the_limit(receiver: Receiver) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    receiver.handler = drip
    sender = Sender(Destinations([ip_network("127.0.0.0/8")]), timeout_s=0.3)
    attempt = await sender.send(receiver.url, "msg_1", BODY, [SECRET])
    await sender.close()
    assert attempt.error == "timeout"


async def test_a_redirect_is_not_followed(receiver: Receiver, sender: Sender) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": "http://169.254.169.254/"})

    receiver.handler = elsewhere
    attempt = await sender.send(receiver.url, "msg_1", BODY, [SECRET])
    assert (attempt.status, attempt.succeeded, len(receiver.seen)) == (307, False, 1)


async def test_a_long_response_is_cut(receiver: Receiver, sender: Sender) -> None:
    async def long(_: web.Request) -> web.Response:
        return web.Response(text="é" * 1_000_000, status=500, headers={"Retry-After": "120"})

    receiver.handler = long
    attempt = await sender.send(receiver.url, "msg_1", BODY, [SECRET])
    assert (attempt.status, attempt.body) == (500, "é" * KEPT_BODY_CHARACTERS)
    assert attempt.retry_after_s == 120


async def test_a_receiver_that_is_gone(sender: Sender) -> None:
    with socket.socket() as bound:  # bound, and nothing listens
        bound.bind(("127.0.0.1", 0))
        attempt = await sender.send(f"http://127.0.0.1:{bound.getsockname()[1]}/", "msg_1", BODY, [SECRET])
    assert (attempt.status, attempt.error) == (None, "connection")


async def test_a_receiver_that_speaks_no_http(sender: Sender) -> None:
    async def nonsense(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    attempt = await sender.send(f"http://127.0.0.1:{port}/", "msg_1", BODY, [SECRET])
    assert (attempt.status, attempt.error) == (None, "protocol")
    # The same port speaks no TLS either.
    attempt = await sender.send(f"https://127.0.0.1:{port}/", "msg_1", BODY, [SECRET])
    assert (attempt.status, attempt.error) == (None, "tls")
    server.close()


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "0.0.0.0",  # noqa: S104 - a destination, not what a server binds
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
    "::127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:168.63.129.16",
    "::ffff:0:8.8.8.8",
    "64:ff9b::a83f:8110",  # Azure's services again
    "64:ff9b::c058:6301",
    "64:ff9b:1::808:808",
    "64:ff9b:1:fffe::a9fe:a9fe",
    "2002:808:808::1",
    "2001:2::1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff:ffff::1",
    "fec0::1",
    "feff:ffff::1",
    "5f00::1",
    "100::1",
    "4000::1",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_addresses_that_are_not_reached(address: str) -> None:
    assert not Destinations().may_reach(ip_address(address))


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "2001:4860:4860::8888", "64:ff9b::808:808"]
)
def test_addresses_that_are_reached(address: str) -> None:
    assert Destinations().may_reach(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://localhost/",
        "https://localhost./",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://[::ffff:7f00:1]/",
        "https://[fe80::1%25eth0]/",
        "http://8.8.8.8/",
        "https://user:secret@8.8.8.8/",
        "https://8.8.8.8/#part",
        "ftp://8.8.8.8/",
        "//8.8.8.8/",
        "https:///path",
        "https://8.8.8.8:0/",
        "https://8.8.8.8:99999/",
        "https://8.8.8.8/a b",
        "https://8.8.8.8/\n",
        "https://8.8.8.8/" + "a" * 2048,
    ],
)
async def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(DestinationRefused):
        await Destinations().check(url)


async def test_a_name_that_moves_to_this_machine_after_the_check_is_not_reached(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    port = receiver.url.split(":")[2].split("/")[0]
    public, private = "8.8.8.8", "127.0.0.1"

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        looks.append(host)
        address = public if len(looks) <= 1 else private
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    destinations = Destinations()
    url = f"https://moves.example:{port}/"
    await destinations.check(url)  # when the endpoint is created
    sender = Sender(destinations, timeout_s=LONG_S)
    attempt = await sender.send(url, "msg_1", BODY, [SECRET])  # looks once, as it connects
    await sender.close()
    assert looks == ["moves.example"] * 2
    assert (attempt.error, receiver.seen) == ("refused", [])


async def test_plain_http_does_not_follow_a_name_to_the_internet(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    port = int(receiver.url.split(":")[2].split("/")[0])

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        looks.append(host)
        # The receiver's address stands for one on the internet: it is not in the allowed network.
        address = "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr("wallet_service.delivery.webhooks.destinations._is_public", lambda _: True)
    sender = Sender(Destinations([ip_network("127.9.0.0/16")]), timeout_s=LONG_S)
    attempt = await sender.send(f"http://moves.example:{port}/", "msg_1", BODY, [SECRET])
    await sender.close()
    assert (attempt.error, attempt.detail, looks) == (
        "refused",
        "the scheme must be https",
        ["moves.example"],
    )
    assert receiver.seen == []


@pytest.mark.parametrize(("scheme", "error"), [("https", "tls"), ("http", None)])
async def test_an_attempt_looks_a_name_up_once(
    receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch, scheme: str, error: str | None
) -> None:
    looks: list[str] = []
    port = int(receiver.url.split(":")[2].split("/")[0])

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        looks.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    attempt = await sender.send(f"{scheme}://stays.example:{port}/", "msg_1", BODY, [SECRET])
    assert (attempt.error, looks) == (error, ["stays.example"])  # it connected: the receiver speaks no TLS


async def test_names_that_hang_hold_up_no_other(
    receiver: Receiver, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(receiver.url.split(":")[2].split("/")[0])
    released, hanging = threading.Event(), list[str]()

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        if host.startswith("hangs"):
            hanging.append(host)
            assert released.wait(LONG_S)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    urls = [f"http://hangs-{number % 50}.example:{port}/" for number in range(100)]
    waiting = [asyncio.create_task(sender.send(url, "msg", BODY, [SECRET])) for url in urls]
    try:
        await wait_until(lambda: len(hanging) == 50)  # one look-up of each name
        assert (await sender.send(f"http://fine.example:{port}/", "msg_1", BODY, [SECRET])).succeeded
        late = await sender.send(urls[0], "msg", BODY, [SECRET], longest_s=0.1)
        assert (late.error, late.detail) == ("timeout", "no response within 0.1 s")
        impatient = Destinations(lookups=Lookups(0.1))
        with pytest.raises(HostUnknown, match=r"not found within 0\.1 s"):
            await impatient.check(urls[0])
    finally:
        released.set()
    assert all(attempt.succeeded for attempt in await asyncio.gather(*waiting))


async def test_slow_endpoints_on_a_host_do_not_use_up_the_time_of_others_there(
    receiver: Receiver, sender: Sender
) -> None:
    released = asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        if request.path.startswith("/slow"):
            await released.wait()
        return web.Response()

    receiver.handler = slow
    base = receiver.url.removesuffix("/hook?a=%2F")
    waiting = [
        asyncio.create_task(sender.send(f"{base}/slow/{n}", "msg", BODY, [SECRET])) for n in range(150)
    ]
    await wait_until(lambda: len(receiver.seen) == 150)
    assert (await sender.send(f"{base}/fast", "msg_1", BODY, [SECRET])).succeeded
    released.set()
    assert all(attempt.succeeded for attempt in await asyncio.gather(*waiting))


def test_the_last_gate_refuses_a_socket() -> None:
    with pytest.raises(DestinationRefused):
        Destinations().socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)))

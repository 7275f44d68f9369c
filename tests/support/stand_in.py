"""The account, organization and payment services, as far as tests/contracts describes them.

In process: ``async with stand_in() as others:``. As a process: ``scripts/stand-ins``, all three services on each of its
ports; 0 is a free one. Everything that is asked for exists, unless its id starts with ``unknown`` or is in ``unknown``.
``PUT /stand-in/fault`` with the name of a fault as its body spoils all following answers; an empty body ends it.

A payment succeeds at once, unless the name of its method begins with ``declined``, ``failing``, ``pending``, ``lost``
(it succeeds, and the connection is cut before the first answer) or ``slow`` (and the first answer never comes).
``PUT /stand-in/payments/{payment_id}`` with a status as its body changes one.
"""

import argparse
import asyncio
import json
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

CONTRACTS = Path(__file__).parent.parent / "contracts"
UNKNOWN = "unknown"
BIG = 10 * 1024 * 1024
DEVELOPMENT_PORTS = (8202, 8210, 8207)
"""Where development looks for the account, organization and payment services."""
_LOST = {"lost": "drop", "slow": "hang"}
"""What becomes of the first answer about a payment, by the begin of its method's name."""


@dataclass(frozen=True)
class Question:
    """What was asked, as it came over the line."""

    method: str
    path: str
    headers: Mapping[str, str]


class StandIn:
    """What the services know, what they were asked, and what is wrong with them.

    Attributes:
        url: of the first port.
        unknown: ids that don't exist, beside those that start with ``unknown``.
        refused: ids that it takes for none.
        inactive: users whose accounts are closed.
        strangers: pairs of organization and user who is not a member.
        questions: in their order.
        fault: a name of ``FAULTS``, done to every answer; None for none.
        slow_s: how long ``slow`` takes.
        held: set by each hanging answer that has begun to hang.
        payments: by their ids.
    """

    def __init__(self) -> None:
        self.url = ""
        self.unknown: set[str] = set()
        self.refused: set[str] = set()
        self.inactive: set[str] = set()
        self.strangers: set[tuple[str, str]] = set()
        self.questions: list[Question] = []
        self.fault: str | None = None
        self.slow_s = 0.1
        self.held = asyncio.Event()
        self.payments: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, str] = {}
        self._lost: dict[str, str] = {}

    def application(self) -> web.Application:
        """The three services as one."""
        app = web.Application()
        app.router.add_get("/health", _healthy)
        app.router.add_put("/stand-in/fault", self._set_fault)
        app.router.add_put("/stand-in/payments/{payment_id}", self._set_payment)
        for file in sorted(CONTRACTS.glob("*.yaml")):
            document = yaml.safe_load(file.read_text())
            for path, methods in document["paths"].items():
                for method, operation in methods.items():
                    app.router.add_route(method, path, self._handler(document, operation))
        return app

    def paths(self) -> list[str]:
        """The paths that were asked for, encoded as they came."""
        return [question.path for question in self.questions]

    def _handler(
        self, document: dict[str, Any], operation: dict[str, Any]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            self.questions.append(Question(request.method, request.raw_path, dict(request.headers)))
            if self.fault is not None:
                return await FAULTS[self.fault](self, request)
            known = len(self.payments)
            status, body = await self._answer(document, operation, request)
            if len(self.payments) > known and (fault := self._lost.get(body["payment_id"])) is not None:
                return await FAULTS[fault](self, request)
            return web.json_response(body, status=status)

        return answer

    async def _answer(
        self, document: dict[str, Any], operation: dict[str, Any], request: web.Request
    ) -> tuple[int, dict[str, Any]]:
        def example(status: int) -> dict[str, Any]:
            content = operation["responses"][str(status)]["content"]["application/json"]
            return _example(document, content["schema"])

        if "requestBody" in operation:
            return await self._new_payment(request, example)
        asked = dict(request.match_info)
        if "payment_id" in asked:
            found = self.payments.get(asked["payment_id"])
            return (200, found) if found else (404, example(404))
        ids = set(asked.values())
        if ids & self.refused:
            return 422, example(422)
        if ids & self.unknown or any(name.startswith(UNKNOWN) for name in ids):
            return 404, example(404)
        if (asked.get("organization_id", ""), asked.get("user_id", "")) in self.strangers:
            return 404, example(404)
        account = {"is_active": False} if asked.get("user_id") in self.inactive else {}
        return 200, example(200) | asked | account

    async def _new_payment(
        self, request: web.Request, example: Callable[[int], dict[str, Any]]
    ) -> tuple[int, dict[str, Any]]:
        key, body = request.headers.get("Idempotency-Key"), await request.json()
        if (
            key is None
            or not {"user_id", "amount", "currency"} <= body.keys()
            or body["user_id"] in self.unknown
        ):
            return 422, example(422)
        method = body.get("payment_method")
        if method is not None and method.startswith("declined"):
            return 402, {"detail": "The card was declined"}
        payment_id = self._keys.setdefault(key, f"payment-{uuid.uuid4()}")
        given = {name: body.get(name) for name in ("user_id", "amount", "currency", "reference")}
        payment = example(201) | given | {"payment_id": payment_id, "status": _status_of(method)}
        if (known := self.payments.setdefault(payment_id, payment)) | given != known:
            return 422, {"detail": "The key was used for another payment"}
        if method is not None and method.startswith(tuple(_LOST)):
            self._lost[payment_id] = next(fault for name, fault in _LOST.items() if method.startswith(name))
        return 201, known

    async def _set_payment(self, request: web.Request) -> web.Response:
        self.payments[request.match_info["payment_id"]]["status"] = await request.text()
        return web.Response(status=204)

    async def _set_fault(self, request: web.Request) -> web.Response:
        name = await request.text()
        if name and name not in FAULTS:
            return web.Response(status=422, text=f"one of {', '.join(FAULTS)}, or nothing")
        self.fault = name or None
        return web.Response(status=204)


def _status_of(method: str | None) -> str:
    """The first status of a payment by this method; without one it is pending."""
    if method is None or method.startswith("pending"):
        return "pending"
    return "failed" if method.startswith("failing") else "succeeded"


def _example(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """An object of the schema, out of the examples of its members."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return {name: member["examples"][0] for name, member in schema["properties"].items()}


async def _healthy(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _html(_others: StandIn, _request: web.Request) -> web.Response:
    return web.Response(text="<!DOCTYPE html><p>Something is wrong here", content_type="text/html")


async def _html_as_json(_others: StandIn, _request: web.Request) -> web.Response:
    return web.Response(text="<!DOCTYPE html><p>Welcome", content_type="application/json")


async def _html_400(_others: StandIn, _request: web.Request) -> web.Response:
    return web.Response(status=400, text="<!DOCTYPE html><p>HTTP was sent to HTTPS", content_type="text/html")


async def _html_404(_others: StandIn, _request: web.Request) -> web.Response:
    return web.Response(status=404, text="<!DOCTYPE html><p>no such host", content_type="text/html")


def _refusing(status: int) -> "Fault":
    async def refuse(_others: StandIn, _request: web.Request) -> web.Response:
        return web.json_response({"detail": "no"}, status=status)

    return refuse


async def _deep(_others: StandIn, _request: web.Request) -> web.Response:
    return web.Response(text="[" * 60_000, content_type="application/json")


async def _redirect(upstreams: StandIn, _request: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{upstreams.url}/elsewhere"})


async def _redirect_nowhere(_others: StandIn, _request: web.Request) -> web.Response:
    return web.Response(status=307, headers={"Location": "http://[::1:x/"})


async def _big(_others: StandIn, request: web.Request) -> web.StreamResponse:
    """10 MB of JSON without a length in its head."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"user_id": "' + b"x" * BIG + b'"}')
    await answer.write_eof()
    return answer


async def _bomb(_others: StandIn, _request: web.Request) -> web.StreamResponse:
    """The same, compressed to ten thousand bytes, whether the request allows it or not."""
    answer = web.Response(body=b'{"user_id": "' + b"x" * BIG + b'"}', content_type="application/json")
    answer.enable_compression(web.ContentCoding.gzip)
    return answer


async def _hang(upstreams: StandIn, _request: web.Request) -> web.Response:
    upstreams.held.set()
    await asyncio.Event().wait()
    raise AssertionError("the event is never set")


async def _trickle(upstreams: StandIn, request: web.Request) -> web.StreamResponse:
    """Begins a response and does not continue."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    await answer.write(b'{"user_id": "')
    return await _hang(upstreams, request)


async def _drop(_others: StandIn, request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _cookie(_others: StandIn, request: web.Request) -> web.Response:
    answer = web.json_response(dict(request.match_info))
    answer.set_cookie("session", "secret")
    return answer


async def _slow(upstreams: StandIn, request: web.Request) -> web.Response:
    await asyncio.sleep(upstreams.slow_s)
    return web.json_response(dict(request.match_info))


def _saying(document: Any, status: int = 200) -> "Fault":
    async def say(_others: StandIn, _request: web.Request) -> web.Response:
        return web.json_response(document, status=status)

    return say


Fault = Callable[[StandIn, web.Request], Awaitable[web.StreamResponse]]

UNAVAILABLE: Mapping[str, Fault] = {
    "500": _refusing(500),
    "503": _refusing(503),
    "408": _refusing(408),
    "429": _refusing(429),
    "html": _html,
    "html_as_json": _html_as_json,
    "deep": _deep,
    "redirect": _redirect,
    "redirect_nowhere": _redirect_nowhere,
    "big": _big,
    "bomb": _bomb,
    "hang": _hang,
    "trickle": _trickle,
    "drop": _drop,
}
"""Faults of an upstream service that counts as unavailable."""

UNUSABLE: Mapping[str, Fault] = {
    "401": _refusing(401),
    "403": _refusing(403),
    "422": _saying({"detail": [{"loc": ["path", "user_id"], "msg": "Input should be a valid UUID"}]}, 422),
    "html_400": _html_400,
    "html_404": _html_404,
    "no_such_path": _saying({"detail": "Not Found"}, 404),
    "gateway_404": _saying({"message": "no Route matched with those values"}, 404),
    "spring_404": _saying({"status": 404, "error": "Not Found", "path": "/api"}, 404),
    "empty_404": _saying({}, 404),
    "list": _saying([]),
    "null": _saying(None),
    "empty": _saying({}),
    "another_id": _saying({"user_id": "another-user", "organization_id": "another", "is_active": True}),
    "wrong_types": _saying({"user_id": 7, "organization_id": [], "is_active": "yes"}),
}
"""Faults of an upstream service that responds, but with neither yes nor no."""

FAULTS: Mapping[str, Fault] = {**UNAVAILABLE, **UNUSABLE, "cookie": _cookie, "slow": _slow}
"""All faults by name; the last two are no faults, only unusual."""


@asynccontextmanager
async def stand_in(host: str = "127.0.0.1", ports: tuple[int, ...] = (0,)) -> AsyncIterator[StandIn]:
    """The services on these ports; 0 is a free one."""
    upstreams = StandIn()
    runner = web.AppRunner(
        upstreams.application(), access_log=None, shutdown_timeout=0, handler_cancellation=True
    )
    await runner.setup()
    try:
        for port in ports:
            await web.TCPSite(runner, host, port).start()
        upstreams.url = f"http://{host}:{runner.addresses[0][1]}"
        yield upstreams
    finally:
        await runner.cleanup()


async def _serve(host: str, ports: tuple[int, ...]) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    async with stand_in(host, ports) as upstreams:
        print(json.dumps({"url": upstreams.url, "ports": ports}), flush=True)  # noqa: T201 - the parent process waits for it
        await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ports", nargs="*", type=int, default=DEVELOPMENT_PORTS, help="default: %(default)s")
    parser.add_argument("--host", default="127.0.0.1")
    chosen = parser.parse_args()
    asyncio.run(_serve(chosen.host, tuple(chosen.ports)))

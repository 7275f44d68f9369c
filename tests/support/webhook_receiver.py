"""A receiver of webhooks on this machine."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from standardwebhooks import Webhook

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Receiver:
    """What has arrived, and how it is answered.

    Attributes:
        seen: the headers and the body of each request.
        handler: answers; None answers 204.
        url: of the receiver.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[dict[str, str], str]] = []
        self.handler: Handler | None = None
        self.url = ""

    async def receive(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((dict(request.headers), await request.text()))
        return web.Response(status=204) if self.handler is None else await self.handler(request)

    def answer(self, *statuses: int) -> None:
        """Answer with these statuses in turn, and then with the last one."""
        left = list(statuses)

        async def handler(_: web.Request) -> web.Response:
            return web.Response(status=left.pop(0) if len(left) > 1 else left[0], text="an answer")

        self.handler = handler

    @property
    def ids(self) -> list[str]:
        """The ids of the messages that arrived."""
        return [headers["webhook-id"] for headers, _ in self.seen]

    @property
    def events(self) -> list[dict[str, Any]]:
        """The messages that arrived, not verified."""
        return [json.loads(body) for _, body in self.seen]

    def verified(self, secret: str) -> list[Any]:
        """The messages that arrived, verified by the reference library.

        Raises:
            WebhookVerificationError: one is not signed with the secret.
        """
        return [Webhook(secret).verify(body, headers) for headers, body in self.seen]


@asynccontextmanager
async def open_receiver(port: int = 0) -> AsyncIterator[Receiver]:
    """A receiver; requests under way end with it."""
    made = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", made.receive)
    runner = web.AppRunner(app, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook?a=%2F"
    try:
        yield made
    finally:
        await runner.cleanup()

"""A server that keeps its connections, and responds to a read with the user of the path and to a debit with its key."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

WALLET_ID = "0199d0a8-0000-7000-8000-0000000000aa"
MOMENT = "2026-01-02T00:00:00Z"
ENTRY = {
    **dict.fromkeys(("balance_before", "balance_after", "wallet_version", "original_transaction_id", "legs")),
    **dict.fromkeys(("client_id", "description", "user_id")),
    **dict.fromkeys(("effective_at", "created_at"), MOMENT),
    "transaction_id": WALLET_ID,
    "leg": 0,
    "transaction_type": "consume",
    "wallet_id": WALLET_ID,
    "currency": "CREDIT",
    "direction": "debit",
    "amount": "1",
    "counter_account": "revenue:usage",
    "metadata": {},
    "dry_run": False,
}


class CreditsServer(ThreadingHTTPServer):
    """``connections`` counts those that were accepted, ``keys`` are those of the debits, in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.connections = 0
        self.keys: list[str | None] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        user = self.path.split("/")[4]
        zero = dict.fromkeys(("balance", "available_balance"), "0")
        self._send({"user_id": user, "wallet_id": None, "currency": "CREDIT", **zero})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        cast("CreditsServer", self.server).keys.append(self.headers["Idempotency-Key"])
        self._send(ENTRY | {"reference": body.get("reference")})

    def _send(self, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parameter's name in http.server
        """Print nothing."""


@contextmanager
def credits_server() -> Iterator[CreditsServer]:
    """Such a server, on a free port."""
    with CreditsServer() as server:
        running = threading.Thread(target=server.serve_forever, args=[0.05], daemon=True)
        running.start()
        try:
            yield server
        finally:
            server.shutdown()
            running.join()

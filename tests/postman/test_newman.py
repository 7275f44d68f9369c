"""newman runs the collection against the service, as a tester's Postman does."""

import json
import re
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import FreshDatabase
from support.api import ADMIN_KEY
from support.database_location import connect
from support.service_process import running_service

from contract.document import committed
from contract.postman.collection import COLLECTION
from contract.postman.written import FOLDER
from wallet_service.platform.auth.keys import create_key
from wallet_service.platform.vault.keys import generate_key

OF_EVERY_RESPONSE = re.compile(r"The response (has a request id|is \d+|is \w+/|is a \w+, amounts are text)")
"""The checks that say nothing about what a single request is for."""


@dataclass(frozen=True)
class Run:
    """What newman reports of a run.

    Attributes:
        checks: how many there were, by their names.
        hardly_checked: requests that succeeded and had no checks but those of every response.
    """

    failed: list[str]
    answered: int
    assertions: int
    green: list[str]
    checks: Counter[str]
    hardly_checked: list[str]


@contextmanager
def something_else(
    answers: Mapping[str, tuple[str, str]], status: int = 200, **headers: str
) -> Iterator[str]:
    """A server that answers every request alike, by its Accept or else ``*``: media type and body. Its URL.

    ``NUMBER`` in a body is the number of the response.
    """
    numbers = count(1)

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind, body = answers.get(self.headers.get("Accept", ""), answers["*"])
            body = body.replace("NUMBER", str(next(numbers)))
            self.send_response(status)
            own = {"Content-Type": kind, "X-Request-Id": "x", "Content-Length": str(len(body))}
            for name, value in {**own, **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815 - as http.server calls them

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def run(newman: Path, folder: Path, url: str, read_only_key: str = "", *parts: str) -> Run:
    """Of the whole collection, or of those of its folders that are named."""
    report = folder / "report.json"
    command: list[Any] = [
        newman,
        "run",
        COLLECTION,
        "--environment",
        FOLDER / "local.postman_environment.json",
    ]
    for name, value in (("base_url", url), ("api_key", ADMIN_KEY), ("read_only_key", read_only_key)):
        command += ["--env-var", f"{name}={value}"]
    command += [word for part in parts for word in ("--folder", part)]
    command += ["--reporters", "json", "--reporter-json-export", report]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert report.exists(), done.stdout + done.stderr
    told: dict[str, Any] = json.loads(report.read_text())["run"]
    report.unlink()
    failed = [f"{each['source']['name']}: {each['error']['message']}" for each in told["failures"]]
    assert done.returncode == (1 if failed else 0), done.stdout + done.stderr
    # Requests of the collection, each once: a script that waits for a worker sends further ones.
    answered = len({each["item"]["id"] for each in told["executions"] if each.get("response")})
    bad = {each["source"]["id"] for each in told["failures"]}
    green = [each["item"]["name"] for each in told["executions"] if each["item"]["id"] not in bad]
    hardly_checked = [
        each["item"]["name"]
        for each in told["executions"]
        if each.get("response", {}).get("code", 500) < 400
        and all(OF_EVERY_RESPONSE.match(one["assertion"]) for one in each.get("assertions", ()))
    ]
    checks = Counter(one["assertion"] for each in told["executions"] for one in each.get("assertions", ()))
    return Run(failed, answered, told["stats"]["assertions"]["total"], green, checks, hardly_checked)


@pytest.mark.postman
async def test_all_is_answered_as_the_collection_says_twice_on_the_same_database(
    newman: Path, fresh_database: FreshDatabase, own_folder: Path
) -> None:
    made_of = COLLECTION.read_text()
    skipping = made_of.count("pm.execution.skipRequest();")
    made = await fresh_database()
    database = await connect(made.service_dsn)
    read_only = await create_key(database, "tester", ["wallets:read"])
    await database.close()
    keys = generate_key("k1")
    with running_service(made.service_dsn, own_folder, WALLET_CREDENTIAL_KEYS=keys) as service:
        whole = run(newman, own_folder, service.url, read_only)
        assert whole.failed == [], "\n".join(whole.failed)
        assert whole.answered == made_of.count('"request": {') > 250
        assert whole.assertions > 3 * whole.answered
        assert whole.hardly_checked == []
        assert whole.checks["The response is about the request"] >= 79
        replays = whole.checks["The response is the first one to this key, byte for byte"]
        assert replays == made_of.count(' replayed\\");') == 37
        # Again, as a tester does who has one key only.
        again = run(newman, own_folder, service.url)
        assert again.failed == []
        assert whole.answered - again.answered == skipping > 10


EMPTY = {
    "items": [],
    "next_cursor": None,
    "wallets": 0,
    "ledger_entries": 0,
    "currencies": [],
    "at": "2026-01-02T03:04:05Z",
}


@pytest.mark.postman
@pytest.mark.parametrize(
    ("parts", "answers"),
    [
        (["Statistics", "Ledger"], {"*": ("text/html", "<html>a page</html>")}),
        (
            ["History", "Statistics", "Ledger"],
            {"*": ("application/json", json.dumps(EMPTY)), "text/csv": ("text/csv", "")},
        ),
    ],
    ids=["a page", "nothing"],
)
def test_what_is_not_the_service_is_green_nowhere(
    newman: Path, own_folder: Path, parts: list[str], answers: dict[str, tuple[str, str]]
) -> None:
    with something_else(answers) as url:
        told = run(newman, own_folder, url, "", *parts)
    assert told.answered > 15
    assert told.green == []


@pytest.mark.postman
def test_a_response_about_something_else_and_a_replay_with_other_bytes_fail(
    newman: Path, own_folder: Path
) -> None:
    transaction = committed()["components"]["schemas"]["Transaction"]["examples"][0] | {"reference": "NUMBER"}
    answers = {"*": ("application/json", json.dumps(transaction))}
    with something_else(answers, 201, Idempotency_Replayed="true") as url:
        told = run(newman, own_folder, url, "", "Transactions")
    consume = [each for each in told.failed if each.startswith("Consume: ")]
    assert any("reference: expected" in each for each in consume), told.failed
    again = [each for each in told.failed if each.startswith("Again with the same key: ")]
    assert any("to deeply equal [" in each for each in again), told.failed

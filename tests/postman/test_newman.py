"""newman runs the collection against the service, as a tester's Postman does."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from conftest import FreshDatabase
from support.api import ADMIN_KEY
from support.places import connect
from support.started import started_on

from contract.postman.collection import COLLECTION
from contract.postman.written import FOLDER
from wallet_service.platform.auth.keys import create_key


@dataclass(frozen=True)
class Run:
    """What newman says of a run."""

    failed: list[str]
    answered: int
    assertions: int
    green: list[str]


@contextmanager
def something_else(answers: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """A server that answers every request with 200, by its Accept or else ``*``: media type and body. Its URL."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            kind, body = answers.get(self.headers.get("Accept", ""), answers["*"])
            self.send_response(200)
            for name, value in (("Content-Type", kind), ("X-Request-Id", "x"), ("Content-Length", len(body))):
                self.send_header(name, str(value))
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
    answered = sum(1 for each in told["executions"] if each.get("response"))
    bad = {each["source"]["id"] for each in told["failures"]}
    green = [each["item"]["name"] for each in told["executions"] if each["item"]["id"] not in bad]
    return Run(failed, answered, told["stats"]["assertions"]["total"], green)


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
    with started_on(made.service_dsn, own_folder) as service:
        whole = run(newman, own_folder, service.url, read_only)
        assert whole.failed == []
        assert whole.answered == made_of.count('"request": {') > 250
        assert whole.assertions > 3 * whole.answered
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

"""newman runs the collection against the service, as a tester's Postman does."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import FreshDatabase
from support.api import ADMIN_KEY
from support.places import connect
from support.started import started_on

from contract.postman.collection import COLLECTION
from contract.postman.written import FOLDER
from wallet_service.http.keys import create_key


@dataclass(frozen=True)
class Run:
    """What newman says of a run."""

    failed: list[str]
    answered: int
    assertions: int


def run(newman: Path, folder: Path, url: str, read_only_key: str = "") -> Run:
    report = folder / "report.json"
    command = [newman, "run", COLLECTION, "--environment", FOLDER / "local.postman_environment.json"]
    for name, value in (("base_url", url), ("api_key", ADMIN_KEY), ("read_only_key", read_only_key)):
        command += ["--env-var", f"{name}={value}"]
    command += ["--reporters", "json", "--reporter-json-export", report]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)
    assert report.exists(), done.stdout + done.stderr
    told: dict[str, Any] = json.loads(report.read_text())["run"]
    report.unlink()
    failed = [f"{each['source']['name']}: {each['error']['message']}" for each in told["failures"]]
    assert done.returncode == (1 if failed else 0), done.stdout + done.stderr
    answered = sum(1 for each in told["executions"] if each.get("response"))
    return Run(failed, answered, told["stats"]["assertions"]["total"])


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

"""A room is added by its folder and one line; everything else is made of what it declares."""

import difflib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from conftest import FreshDatabase, Locate, TestDatabase
from house.notes.room import ROOM
from support.api import Api, Client, new_user, open_api, posted, problem
from support.database_location import DatabaseLocation

from wallet_service.ledger.verify import verify
from wallet_service.platform.database.migrate import migrate
from wallet_service.rooms import ROOMS

REPOSITORY = Path(__file__).parents[2]
NOTES = Path(__file__).parent / "notes"
WITH_NOTES = (*ROOMS, ROOM)

LINE = '    "money.notes",\n'
WALLET = "0190b6f0-7c5e-7c3a-9f6e-2b1d4c5e6f70"
NOTES_OF = f"/wallets/{WALLET}/notes"
GENERATED = {
    "openapi.json",
    "postman/wallet-service.postman_collection.json",
    "docs/api.md",
    "docs/settings.md",
    "docs/architecture.md",
    "docs/operations.md",
}


@pytest.fixture
async def notes_database(fresh_database: FreshDatabase) -> TestDatabase:
    """A database that was migrated with the room."""
    made = await fresh_database()
    await migrate(made.dsn, WITH_NOTES)
    return made


@pytest.fixture
async def api(notes_database: TestDatabase, locate_database: Locate) -> AsyncIterator[Api]:
    async with open_api(await locate_database(notes_database), rooms=WITH_NOTES, notes_longest=10) as opened:
        yield opened


async def writer(api: Api, *, name: str | None = None) -> Client:
    return await api.service("notes:read", "notes:write", "transactions:write", name=name)


async def test_route_setting_permission_and_problem(api: Api) -> None:
    service = await writer(api)
    written = await service.post(NOTES_OF, {"text": "short"})
    assert written.status_code == 201, written.text
    note = written.json()
    assert note == {"note_id": note["note_id"], "wallet_id": WALLET, "text": "short"}
    problem(await service.post(NOTES_OF, {"text": "longer than 10"}), "note_too_long")
    refused = await (await api.service("wallets:read")).post(NOTES_OF, {"text": "short"})
    assert problem(refused, "forbidden")["scope"] == "notes:write"
    problem(await api.user().post(NOTES_OF, {"text": "short"}), "forbidden")


async def test_a_key_stores_one_note(api: Api) -> None:
    service = await writer(api)
    first = await service.post(NOTES_OF, {"text": "short"}, key="k")
    again = await service.post(NOTES_OF, {"text": "short"}, key="k")
    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    problem(await service.post(NOTES_OF, {"text": "other"}, key="k"), "idempotency_key_reused")
    other = await (await writer(api)).post(NOTES_OF, {"text": "short"}, key="k")
    assert other.json()["note_id"] != first.json()["note_id"]
    unkeyed = [(await service.post(NOTES_OF, {"text": "short"})).json()["note_id"] for _ in range(2)]
    assert len({first.json()["note_id"], other.json()["note_id"], *unkeyed}) == 4


async def test_a_list_goes_on_at_its_cursor(api: Api) -> None:
    service = await writer(api)
    for text in ("one", "two", "three"):
        await service.post(NOTES_OF, {"text": text})
    first = (await service.get(f"{NOTES_OF}?limit=2")).json()
    second = (await service.get(f"{NOTES_OF}?limit=2&cursor={first['next_cursor']}")).json()
    assert [note["text"] for note in first["items"] + second["items"]] == ["one", "two", "three"]
    assert second["next_cursor"] is None


async def test_the_document_has_the_path_and_the_problem(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    assert "note_too_long" in document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert document["paths"]["/api/v1/wallets/{wallet_id}/notes"]["post"]["summary"] == "Write a note"


async def test_its_table_is_closed_and_its_function_open(notes_database: TestDatabase) -> None:
    connection = await asyncpg.connect(notes_database.service_dsn)
    try:
        written = await connection.fetchval(
            "select wallet_api.write_note($1::text::uuid, 'a', 'k', '00', '7', 'short')", WALLET
        )
        note = {"note_id": WALLET, "wallet_id": "7", "text": "short"}
        assert json.loads(written) == {"status": "created", "note": note}
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch("select * from samples.notes")
    finally:
        await connection.close()
    superuser = await asyncpg.connect(notes_database.dsn)
    try:
        secured = "select relrowsecurity from pg_class where oid = 'samples.notes'::regclass"
        assert await superuser.fetchval(secured) is True
    finally:
        await superuser.close()


async def test_verify_walks_its_table(api: Api) -> None:
    walks = [walk for room in WITH_NOTES for walk in room.verify_walks]
    lines: list[str] = []
    await (await writer(api)).post(NOTES_OF, {"text": "short"})
    assert await verify(api.app.state.database, lines.append, walks)
    assert "note text: a note has a text: 1 notes: ok" in lines
    await (await writer(api)).post(NOTES_OF, {"text": ""})
    assert not await verify(api.app.state.database, lines.append, walks)
    assert f"FAULT note text: wallet {WALLET}" in lines


async def test_what_a_request_costs(database_location: DatabaseLocation) -> None:
    async with open_api(database_location, rooms=WITH_NOTES, rate_limit_client_tokens=100) as api:
        answer = await api.admin.post(NOTES_OF, {"text": "no"})
        assert ";r=97;" in answer.headers["RateLimit"]


async def test_a_caller_check_refuses_at_every_path(api: Api) -> None:
    banned = await writer(api, name="banned")
    problem(await banned.get(f"/users/{new_user()}/wallets"), "forbidden")


async def test_a_posting_check_refuses_and_nothing_is_posted(api: Api) -> None:
    wallet = await api.admin.wallet("10")
    refused = await api.admin.move("consume", wallet["wallet_id"], "1", reference="forbidden")
    problem(refused, "forbidden")
    batch = {"type": "consume", "wallet_id": wallet["wallet_id"], "amount": "1", "reference": "forbidden"}
    problem(await api.admin.batch(batch | {"reference": "fine"}, batch, atomic=True), "forbidden")
    assert (await api.admin.get(f"/wallets/{wallet['wallet_id']}")).json()["version"] == wallet["version"]


async def test_a_posting_check_refuses_one_operation_of_a_batch(api: Api) -> None:
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    fine = {"type": "consume", "wallet_id": wallet, "amount": "1"}
    results = (await api.admin.batch(fine, fine | {"reference": "forbidden"}, fine)).json()["results"]
    assert [each["status"] for each in results] == ["posted", "refused", "posted"]
    assert results[1]["problem"]["code"] == "forbidden"


async def test_a_posting_rule_refuses_in_the_kernel(api: Api) -> None:
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    posted(await api.admin.move("consume", wallet, "1"))
    await (await writer(api)).post(f"/wallets/{wallet}/notes", {"text": "stop"})
    assert problem(await api.admin.move("consume", wallet, "1"), "forbidden")["note"] == "stop"
    posted(await api.admin.move("deposit", wallet, "1"))


async def test_after_a_posting_the_room_gets_its_entries_once(api: Api) -> None:
    wallet, other = await _wallet(api), await _wallet(api)
    counted = api.app.state.notes_postings
    posted(await api.admin.move("deposit", wallet, "1"))
    assert counted == {(wallet, False): 1}
    for _ in range(2):  # the second is a replay
        posted(await api.admin.move("consume", wallet, "1", idempotency_key="once"))
    fee = {"type": "fee", "wallet_id": wallet, "amount": "1"}
    await api.admin.batch(fee, fee)
    await api.admin.move("consume", wallet, "1000")  # refused
    await api.admin.move("consume", wallet, "1", dry_run=True)
    assert counted == {(wallet, False): 1, (wallet, True): 3}
    counted.clear()
    moved = posted(await api.admin.move("transfer", wallet, "2", to_wallet_id=other))
    assert counted == {(wallet, True): 1, (other, False): 1}
    posted(await api.admin.post(f"/transactions/{moved['transaction_id']}/refund", {"amount": "1"}))
    assert counted == {(wallet, True): 1, (other, False): 1, (wallet, False): 1, (other, True): 1}


async def test_what_a_room_raises_after_a_posting_changes_no_response(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet = await _wallet(api)
    monkeypatch.delattr(api.app.state, "notes_postings")
    assert posted(await api.admin.move("consume", wallet, "1"))["balance_after"] == "9.000000"


# Members that the room adds to movements and transfers


async def _notes(api: Api, wallet: str) -> list[tuple[str, str]]:
    items = (await api.admin.get(f"/wallets/{wallet}/notes")).json()["items"]
    return [(each["note_id"], each["text"]) for each in items]


async def test_a_member_is_written_with_its_posting(api: Api) -> None:
    wallet, other = await _wallet(api), await _wallet(api)
    moved = [
        posted(await api.admin.move("consume", wallet, "1", note="one")),
        posted(await api.admin.move("transfer", wallet, "1", to_wallet_id=other, note="two")),
    ]
    named = {"type": "deposit", "wallet_id": wallet, "amount": "1"}
    answer = (await api.admin.batch(named | {"note": "three"}, named, named | {"note": "four"})).json()
    moved += [answer["results"][place]["transaction"] for place in (0, 2)]
    expected = zip((each["transaction_id"] for each in moved), ("one", "two", "three", "four"), strict=True)
    assert await _notes(api, wallet) == list(expected)


async def test_a_member_is_part_of_the_request(api: Api) -> None:
    wallet = await _wallet(api)

    async def move(key: str, **members: str) -> httpx.Response:
        return await api.admin.move("consume", wallet, "1", idempotency_key=key, **members)

    first = posted(await move("noted", note="one"))
    again = await move("noted", note="one")
    assert (again.json(), again.headers["Idempotency-Replayed"]) == (first, "true")
    problem(await move("noted", note="two"), "idempotency_key_reused")
    problem(await move("noted"), "idempotency_key_reused")
    posted(await move("plain"))
    problem(await move("plain", note="one"), "idempotency_key_reused")
    noted = {"type": "consume", "wallet_id": wallet, "amount": "1", "idempotency_key": "both", "note": "one"}
    plain = {name: value for name, value in noted.items() if name != "note"}
    for batch in ([noted, plain], [plain | {"idempotency_key": "b"}, noted | {"idempotency_key": "b"}]):
        results = (await api.admin.batch(*batch)).json()["results"]
        assert results[0]["status"] == "posted"
        assert results[1]["problem"]["code"] == "idempotency_key_reused"
    assert len(await _notes(api, wallet)) == 2


async def test_a_member_of_nothing_that_posted_is_not_written(api: Api) -> None:
    wallet = await _wallet(api)
    shown = await api.admin.move("consume", wallet, "1", note="one", dry_run=True)
    assert (shown.status_code, shown.json()["dry_run"]) == (200, True)
    problem(await api.admin.move("consume", wallet, "100", note="one"), "insufficient_funds")
    refused = await api.admin.move("consume", wallet, "1", note="wrong", idempotency_key="wrong")
    assert problem(refused, "note_too_long")["balance"] == "9.000000"
    posted(await api.admin.move("consume", wallet, "1", idempotency_key="wrong"))
    one = {"type": "consume", "wallet_id": wallet, "amount": "1", "note": "one"}
    problem(await api.admin.batch(one, one | {"amount": "100"}, atomic=True), "insufficient_funds")
    assert await _notes(api, wallet) == []


async def test_members_that_no_room_adds_are_refused(api: Api) -> None:
    wallet = await _wallet(api)
    refused = problem(await api.admin.move("consume", wallet, "1", note=5, other="x"), "validation_failed")
    assert [each["pointer"] for each in refused["errors"]] == ["/other", "/note"]
    mixed = {"type": "consume", "wallet_id": wallet, "amount": "1", "terms": {}}
    results = (await api.admin.batch(mixed, mixed | {"note": {}})).json()["results"]
    assert [each["problem"]["errors"][0]["pointer"] for each in results] == ["/terms", "/terms"]
    adjusted = {"amount": "1", "direction": "debit", "reason": "r", "note": "one"}
    problem(await api.admin.post(f"/wallets/{wallet}/adjust", adjusted), "validation_failed")
    service = await api.service("transactions:write")
    assert (
        problem(await service.move("consume", wallet, "1", note="one"), "forbidden")["scope"] == "notes:write"
    )
    posted(await service.move("consume", wallet, "1", note=None))


async def test_the_document_has_the_member_and_its_problem(api: Api) -> None:
    document = (await api.http.get("/openapi.json")).json()
    for name in ("MoneyRequest", "TransferRequest", "BatchMovement", "BatchTransfer"):
        schema = document["components"]["schemas"][name]
        assert schema["properties"]["note"]["description"].startswith("A note")
        assert schema["additionalProperties"] is False
        assert "x-members-of-rooms" not in schema
    for path in ("/wallets/{wallet_id}/deposit", "/transactions/batch"):
        assert "note_too_long" in str(document["paths"][f"/api/v1{path}"]["post"]["responses"]["422"])


async def _wallet(api: Api) -> str:
    return (await api.admin.wallet("10"))["wallet_id"]


# In a copy of the repository, where the room is added


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with the room in it, and nothing done but its line."""
    folder = tmp_path_factory.mktemp("house")
    for name in ("wallet_service", "contract", "docs", "postman"):
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    for name in ("openapi.json", "pyproject.toml"):
        shutil.copy(REPOSITORY / name, folder / name)
    shutil.copytree(NOTES, folder / "wallet_service" / "money" / "notes")
    rooms = folder / "wallet_service" / "rooms.py"
    text = rooms.read_text()
    rooms.write_text(text.replace('    "runtime",\n', f'{LINE}    "runtime",\n'))
    return folder


def run(folder: Path, *command: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("WALLET_", "PYTHON"))}
    result = subprocess.run(
        command, cwd=folder, env=clean | environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_one_line_adds_its_command(house: Path) -> None:
    shown = run(house, sys.executable, "-m", "wallet_service", "longest-note", WALLET_NOTES_LONGEST="12")
    assert shown == "12\n"


def test_one_line_and_generated_files_are_all_that_changes(house: Path) -> None:
    run(house, sys.executable, "-m", "contract")
    changed: dict[str, list[str]] = {}
    for path in sorted(house.rglob("*")):
        name = str(path.relative_to(house))
        before = REPOSITORY / name
        if path.is_file() and "__pycache__" not in path.parts and "money/notes" not in name:
            old, new = (
                before.read_text().splitlines(keepends=True),
                path.read_text().splitlines(keepends=True),
            )
            lines = [line for line in difflib.ndiff(old, new) if line[0] in "+-"] if old != new else []
            if lines:
                changed[name] = lines
    assert changed.pop("wallet_service/rooms.py") == [f"+ {LINE}"]
    assert changed.keys() == GENERATED
    for name in (each for each in GENERATED if each.startswith("docs/")):
        assert [line[:3] for line in changed[name]] == ["+ |"] * len(changed[name])


def test_the_layers_hold_with_it(house: Path) -> None:
    run(house, str(Path(sys.executable).with_name("lint-imports")), "--no-cache")


BREAKS = {
    "Groups import down only": ("platform/web/state.py", "from wallet_service.money import permissions"),
    "Rooms import rooms before them in rooms.py": (
        "platform/auth/keys.py",
        "from wallet_service.platform.web import strict_json",
    ),
    "A room's router, repository and schemas are its own": (
        "money/credits/service.py",
        "from wallet_service.money.wallets import repository",
    ),
}


@pytest.mark.parametrize("contract", BREAKS)
def test_an_import_that_breaks_a_contract_is_named(house: Path, contract: str) -> None:
    name, line = BREAKS[contract]
    module = house / "wallet_service" / name
    text = module.read_text()
    module.write_text(f"{text}\n{line}  # noqa\n")
    try:
        lint = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
        result = subprocess.run(lint, cwd=house, capture_output=True, text=True, check=False)
        assert result.returncode == 1
        assert f"{contract} BROKEN" in result.stdout
        assert name.removesuffix(".py").replace("/", ".") in result.stdout.replace("\n", "")
    finally:
        module.write_text(text)

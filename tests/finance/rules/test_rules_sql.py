"""What the SQL of rules must hold beside other sessions, and what ``verify`` finds; each fault put into it is caught."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg
import pytest
from conftest import FreshDatabase, TestDatabase
from support.api import Api, open_api, problem

from wallet_service.core.identifiers import new_id
from wallet_service.finance.rules.compiled import CompiledRules
from wallet_service.finance.rules.repository import RuledEntries
from wallet_service.finance.rules.service import AutomaticRules, RuleJob, changed_entries
from wallet_service.platform.database.sql_files import read_sql_files
from wallet_service.rooms import ROOMS

from . import test_rules_router as router
from .test_rules_router import FOOD, Book, rule_of

ANY = [{"field": "amount", "op": "gt", "value": "0"}]


@pytest.fixture
async def made(fresh_database: FreshDatabase) -> TestDatabase:
    return await fresh_database()


@pytest.fixture
async def fresh(made: TestDatabase) -> AsyncIterator[Api]:
    async with open_api(made.service_dsn) as opened:
        yield opened


@pytest.fixture
async def connection(made: TestDatabase) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(made.dsn)
    yield opened
    await opened.close()


def entries_of(api: Api) -> RuledEntries:
    return RuledEntries(api.app.state.database)


def automatic_of(api: Api) -> AutomaticRules:
    """Rules that another process applies: it knows none of them."""
    return AutomaticRules(entries_of(api), api.app.state.automatic_rules._metrics)


async def catalogue(api: Api, book: Book) -> None:
    """What is catalogued now is ruled as soon as there are rules; what the service does by itself waits for its turn."""
    await api.app.state.database.call("catalogue_book", book_id=book.book_id, limit=2000)


async def unruled(api: Api) -> Book:
    """A book with one rule, and with three entries that are due."""
    api.app.state.cataloguing.followers.clear()
    book = await Book.of(api)
    await book.rule(ANY, {"note": "by rule"})
    for n in range(3):
        await book.spend("10.00", f"Lidl {n}")
    await catalogue(api, book)
    return book


async def write(
    entries: RuledEntries, book: Book, due: Mapping[str, Any], progress: Sequence[Any] | None
) -> bool:
    rules = CompiledRules(due["rules"]["rules"], due["rules"])
    changed = changed_entries(await rules.apply(due["entries"]))
    assert len(changed) == 3
    return await entries.write(book.book_id, due["rules"]["version"], changed, progress, new_id())


async def notes(book: Book) -> list[str | None]:
    found = (await book.client.get("/parts")).json()
    assert found["pending_entries"] == 0
    return [part["note"] for part in found["items"][::-1]]


async def nothing_is_written_when_the_rules_have_changed(api: Api) -> None:
    book, entries = await unruled(api), entries_of(api)
    due = await entries.due(book.book_id, None, 10)
    await book.rule(FOOD, {"note": "later"})
    assert not await write(entries, book, due, due["progress"])
    assert await notes(book) == [None] * 3
    assert await automatic_of(api).follow(book.book_id) == 3
    assert await notes(book) == ["later"] * 3


async def nothing_is_written_when_a_part_has_changed(api: Api) -> None:
    book, entries = await unruled(api), entries_of(api)
    due = await entries.due(book.book_id, None, 10)
    path = f"/wallets/{book.wallet_id}/entries/2/parts"
    assert (await book.client.send("PUT", path, {"parts": [{"note": "mine"}]})).status_code == 200
    assert not await write(entries, book, due, due["progress"])
    assert await notes(book) == [None, "mine", None]
    assert await automatic_of(api).follow(book.book_id) == 3
    assert await notes(book) == ["by rule", "mine", "by rule"]


async def nothing_is_ruled_twice(api: Api) -> None:
    book, entries = await unruled(api), entries_of(api)
    due = await entries.due(book.book_id, None, 10)
    progress = [{**each, "last": each["first"] + 1} for each in due["progress"]]
    assert await entries.write(book.book_id, due["rules"]["version"], [], progress, new_id())
    assert not await write(entries, book, due, due["progress"])
    assert await notes(book) == [None] * 3


async def a_job_does_not_undo_an_edit(api: Api) -> None:
    """A person edits an entry after the job has read it: the job reads again."""
    book = await unruled(api)
    path = f"/wallets/{book.wallet_id}/entries/2/parts"

    class Edited(RuledEntries):
        writes = 0

        async def write(self, *arguments: Any, **options: Any) -> bool:
            self.writes += 1
            if self.writes == 1:
                assert (await book.client.send("PUT", path, {"parts": [{"note": "mine"}]})).status_code == 200
            return await super().write(*arguments, **options)

    entries = Edited(api.app.state.database)
    arguments = {"book_id": book.book_id, "rule_ids": None, "wallet_id": None, "from": None, "to": None}
    job = RuleJob(entries, arguments | {"overwrite": False, "dry_run": False}, new_id())
    reports: list[int] = []

    async def report(done: int) -> None:
        reports.append(done)

    await job.run(report)
    assert (entries.writes, job.examined, job.changed, reports) == (2, 3, 2, [3])
    assert await notes(book) == ["by rule", "mine", "by rule"]


async def each_entry_is_due_once_in_small_steps(api: Api) -> None:
    book, entries = await unruled(api), entries_of(api)
    other = await book.client.wallet(currency="EUR", keeping="mirrored", name="other")
    for _ in range(3):
        await book.client.move("deposit", other["wallet_id"], "1.00")
    await catalogue(api, book)
    seen: list[tuple[str, int]] = []
    sizes: list[int] = []
    while (due := await entries.due(book.book_id, None, 2))["progress"]:
        assert len(sizes) < 10
        seen += [(each["wallet_id"], each["wallet_version"]) for each in due["entries"]]
        sizes.append(len(due["entries"]))
        assert await entries.write(book.book_id, due["rules"]["version"], [], due["progress"], new_id())
    wallets = (book.wallet_id, other["wallet_id"])
    assert sorted(seen) == sorted((wallet, version) for wallet in wallets for version in (1, 2, 3))
    assert sizes == [2, 2, 2]


async def entries_are_paged_by_day(api: Api) -> None:
    book, entries = await Book.of(api), entries_of(api)
    other = await book.client.wallet(currency="EUR", keeping="mirrored", name="other")
    wanted: list[tuple[str, str, int]] = []
    for wallet_id in (book.wallet_id, other["wallet_id"]):
        for version, day in enumerate(("03", "01", "02", "02"), 1):
            moment = f"2026-03-{day}T11:00:00Z"
            answer = await book.client.move("deposit", wallet_id, "1.00", effective_at=moment)
            assert answer.status_code == 201, answer.text
            wanted.append((f"2026-03-{day}", wallet_id, version))
    await catalogue(api, book)

    async def pages(**selection: Any) -> list[tuple[str, str, int]]:
        found: list[tuple[str, str, int]] = []
        chosen = {"wallet_id": None, "from": None, "to": None} | selection
        after: Mapping[str, Any] | None = None
        for _ in range(10):
            page, after = await entries.page(book.book_id, chosen, after, 3)
            found += [(e["parts"][0]["booked_on"], e["wallet_id"], e["wallet_version"]) for e in page]
            if after is None:
                break
        return found

    assert await pages() == sorted(wanted)
    own = sorted(each for each in wanted if each[1] == book.wallet_id)
    assert await pages(wallet_id=book.wallet_id) == own
    two_days = {"from": "2026-03-02", "to": "2026-03-03"}
    assert await pages(**two_days) == sorted(each for each in wanted if each[0] == "2026-03-02")
    assert await pages(wallet_id=book.wallet_id, **two_days) == [each for each in own if "03-02" in each[0]]


async def rules_are_applied_in_their_order_while_active(api: Api) -> None:
    book = await Book.of(api)
    ids = [
        (await book.rule(ANY, {"note": note}, active=note != "off"))["rule_id"] for note in ("a", "b", "off")
    ]
    [part] = await book.parts(await book.spend("1.00", "x"))
    assert part["note"] == "b"
    assert (await book.client.post("/rules/order", {"rule_ids": ids[::-1]})).status_code == 200
    [part] = await book.parts(await book.spend("1.00", "x"))
    assert part["note"] == "a"


async def a_book_has_at_most_a_thousand_rules(api: Api) -> None:
    book = await Book.of(api)
    first = await book.rule(FOOD, {"note": "x"})
    connection = await asyncpg.connect(api.app.state.tested_dsn)
    await connection.execute(
        "insert into finance.rules select gen_random_uuid(), r.book_id, n, r.name, r.match, r.conditions, r.actions,"
        " r.stop, r.active, r.label_ids, 1, r.created_at, r.updated_at"
        " from finance.rules r, generate_series(2, 999) n where r.rule_id = $1",
        first["rule_id"],
    )
    await connection.close()
    body = {"name": "x", "conditions": FOOD, "actions": {"note": "x"}}
    answers = await asyncio.gather(*(book.client.post("/rules", body, key=f"{n}") for n in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409]
    refused = problem(next(answer for answer in answers if answer.status_code == 409), "rule_limit")
    assert (refused["book_id"], refused["limit"]) == (book.book_id, 1000)
    one = f"/rules/{first['rule_id']}"
    assert (await book.client.delete(one)).status_code == 204
    rule_of(await book.client.post("/rules", body, key="after"), 201)


async def an_organization_has_its_own_rules(api: Api) -> None:
    own = await Book.of(api)
    await own.rule(ANY, {"note": "own"})
    organization = {"organization_id": f"org-{new_id()}"}
    answer = await api.admin.post("/books", organization | {"base_currency": "EUR"})
    assert answer.status_code == 201, answer.text
    wallet = await api.admin.wallet(
        user_id=own.client.user_id, currency="EUR", keeping="mirrored", name="ours", **organization
    )
    body = {"name": "x", "conditions": ANY, "actions": {"note": "ours"}} | organization
    rule = rule_of(await api.admin.post("/rules", body), 201)
    listed = (await api.admin.get("/rules", **organization)).json()["items"]
    assert [each["rule_id"] for each in listed] == [rule["rule_id"]]
    assert rule["rule_id"] not in [each["rule_id"] for each in await own.all()]
    moved = await api.admin.move("withdraw", wallet["wallet_id"], "5.00")
    assert moved.status_code == 201, moved.text
    assert (await api.admin.get("/parts", **organization)).status_code == 200
    await api.app.state.automatic_rules.follow(answer.json()["book_id"])
    [part] = (await api.admin.get("/parts", **organization)).json()["items"]
    assert (part["note"], part["rule_id"]) == ("ours", rule["rule_id"])
    [part] = await own.parts(await own.spend("5.00", "x"))
    assert part["note"] == "own"
    strange = body | {"conditions": [{"field": "wallet_id", "op": "is", "value": own.wallet_id}]}
    problem(await api.admin.post("/rules", strange), "wallet_not_found")


CHECKS: tuple[Callable[[Api], Awaitable[None]], ...] = (
    nothing_is_written_when_the_rules_have_changed,
    nothing_is_written_when_a_part_has_changed,
    nothing_is_ruled_twice,
    a_job_does_not_undo_an_edit,
    each_entry_is_due_once_in_small_steps,
    entries_are_paged_by_day,
    rules_are_applied_in_their_order_while_active,
    a_book_has_at_most_a_thousand_rules,
    an_organization_has_its_own_rules,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_rules(fresh: Api, made: TestDatabase, check: Callable[[Api], Awaitable[None]]) -> None:
    fresh.app.state.tested_dsn = made.dsn
    await check(fresh)


async def test_followers_at_once_write_each_entry_once(fresh: Api, connection: asyncpg.Connection) -> None:
    book = await unruled(fresh)
    for n in range(30):
        await book.spend("10.00", f"Lidl {n}")
    await catalogue(fresh, book)
    done = await asyncio.gather(*(automatic_of(fresh).follow(book.book_id) for _ in range(4)))
    assert sum(done) == 33, done
    assert await notes(book) == ["by rule"] * 33
    rows = await connection.fetch(
        "select wallet_version, count(*) filter (where c.run_id is not null) as changes from finance.part_changes c"
        " group by wallet_version order by wallet_version"
    )
    assert [tuple(row) for row in rows] == [(version, 1) for version in range(1, 34)]
    assert await connection.fetchval("select done_version from finance.ruled") == 33


async def verified(api: Api) -> list[str]:
    found = json.loads(await api.app.state.database.read("verify_rules", after=None, limit=1000))
    assert found["checked"] == 1
    return sorted(each["check"] for each in found["faults"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("update finance.rules set label_ids = '{}'", "rule labels"),
        ("update finance.rules set label_ids = label_ids || gen_random_uuid()", "rule labels"),
        (
            """update finance.rules set actions = jsonb_build_object('split', jsonb_build_array(
              jsonb_build_object('add_tag_ids', jsonb_build_array(gen_random_uuid()))))""",
            "rule labels",
        ),
        (
            """update finance.rules r set label_ids = r.label_ids || l.label_id from finance.labels l
              where l.book_id <> r.book_id and l.system_key = 'food'""",
            "rule labels",
        ),
        ("update finance.ruled set done_version = done_version + 1", "ruled entries"),
        ("update finance.ruled set wallet_id = gen_random_uuid()", "ruled entries"),
    ],
)
async def test_a_planted_fault_is_found(
    fresh: Api, connection: asyncpg.Connection, change: str, fault: str
) -> None:
    book, _ = await Book.of(fresh), await Book.of(fresh)
    await book.rule(ANY, {"category_id": book.categories["food"]})
    [part] = await book.parts(await book.spend("1.00", "x"))
    assert part["category_id"] == book.categories["food"]
    assert await verified(fresh) == []
    assert not (await connection.execute(change)).endswith(" 0")
    assert await verified(fresh) == [fault]


MUTANTS: dict[str, tuple[str, Callable[[Api], Awaitable[None]], str, str]] = {
    "a-rule-too-many": (
        "create_rule",
        a_book_has_at_most_a_thousand_rules,
        ">= c_most_rules",
        "> c_most_rules",
    ),
    "others-wallets": (
        "check_rule_names",
        router.test_others_rules_labels_and_wallets_are_not_found,
        "w.organization_id) = p_book_id)",
        "w.organization_id) is not null)",
    ),
    "wallets-of-organizations": (
        "check_rule_names",
        an_organization_has_its_own_rules,
        "finance.find_book_of_wallet(w.user_id, w.organization_id) = p_book_id",
        "true",
    ),
    "others-labels": (
        "check_rule_names",
        router.test_others_rules_labels_and_wallets_are_not_found,
        "finance.find_label(v_named.id, p_book_id, v_named.kind)",
        "finance.find_label(v_named.id, null, v_named.kind)",
    ),
    "others-rules": (
        "find_rule",
        router.test_others_rules_labels_and_wallets_are_not_found,
        "(p_book_id is null or r.book_id = p_book_id)",
        "true",
    ),
    "what-was-before-is-due": (
        "touch_rules",
        router.test_new_entries_get_what_rules_say,
        "if p_activates and",
        "if false and",
    ),
    "the-list-has-no-version": (
        "touch_rules",
        nothing_is_written_when_the_rules_have_changed,
        "version = l.version + 1",
        "version = l.version",
    ),
    "rules-of-before": (
        "are_rules_current",
        nothing_is_written_when_the_rules_have_changed,
        ", 0) = p_known",
        ", 0) is not null",
    ),
    "edits-are-lost": (
        "are_rules_current",
        nothing_is_written_when_a_part_has_changed,
        "s.parts is distinct from e.before",
        "false",
    ),
    "edits-are-lost-to-jobs": (
        "are_rules_current",
        a_job_does_not_undo_an_edit,
        "s.parts is distinct from e.before",
        "false",
    ),
    "ruled-twice": ("are_rules_current", nothing_is_ruled_twice, ", 0) <> w.first)", ", 0) < 0)"),
    "old-versions-are-replaced": (
        "lock_rule",
        router.test_rules_are_created_replaced_ordered_and_deleted,
        "v_rule.version <> p_version",
        "false",
    ),
    "orders-of-some": (
        "order_rules",
        router.test_rules_are_created_replaced_ordered_and_deleted,
        "if array(select n",
        "if false and array(select n",
    ),
    "applied-by-age": (
        "find_rule_list",
        rules_are_applied_in_their_order_while_active,
        "order by r.place",
        "order by r.rule_id",
    ),
    "inactive-ones-are-applied": (
        "find_rule_list",
        rules_are_applied_in_their_order_while_active,
        "then r.active else",
        "then true else",
    ),
    "labels-are-not-in-use": (
        "count_rules_of_label",
        router.test_labels_that_were_merged_stand_for_each_other,
        "p_id = any (r.label_ids)",
        "false",
    ),
    "merges-are-not-followed": (
        "read_label_links",
        router.test_labels_that_were_merged_stand_for_each_other,
        "and l.merged_into is not null",
        "and false",
    ),
    "under-is-itself": (
        "read_label_links",
        router.test_new_entries_get_what_rules_say,
        "= any (p.path)",
        "= p.label_id",
    ),
    "the-last-one-again": (
        "read_due_entries",
        router.test_new_entries_get_what_rules_say,
        "p.wallet_version > w.first",
        "p.wallet_version >= w.first",
    ),
    "steps-without-limit": (
        "read_due_entries",
        each_entry_is_due_once_in_small_steps,
        "n.first + p_limit - n.before",
        "n.first + p_limit",
    ),
    "steps-with-a-gap": (
        "read_due_entries",
        each_entry_is_due_once_in_small_steps,
        "p.wallet_version <= w.last",
        "p.wallet_version < w.last",
    ),
    "to-is-included": ("read_rule_entries", entries_are_paged_by_day, "p_to::date - 1", "p_to::date"),
    "pages-of-days": (
        "read_rule_entries",
        entries_are_paged_by_day,
        "(p.booked_on, p.wallet_id, p.wallet_version) > (v_day, v_wallet_id, v_version)",
        "p.booked_on > v_day",
    ),
    "pages-of-a-wallet-by-version": (
        "read_rule_entries",
        entries_are_paged_by_day,
        "(p.booked_on, p.wallet_version) > (v_day, v_version)",
        "p.wallet_version > v_version",
    ),
    "wallets-of-the-book": (
        "read_rule_entries",
        entries_are_paged_by_day,
        "and p.wallet_id = p_wallet_id and",
        "and",
    ),
    "runs-without-id": (
        "write_ruled_parts",
        router.test_a_job_applies_rules_and_its_run_is_taken_back,
        "finance.start_run(p_run_id,",
        "finance.start_run(gen_random_uuid(),",
    ),
}


@pytest.mark.mutants
@pytest.mark.parametrize("name", MUTANTS)
async def test_a_fault_is_caught(fresh: Api, made: TestDatabase, name: str) -> None:
    function, check, right, wrong = MUTANTS[name]
    sql = next(each.sql for each in read_sql_files(ROOMS).functions if each.name == function)
    assert sql.count(right) >= 1
    connection = await asyncpg.connect(made.dsn)
    async with connection.transaction():
        await connection.execute("set local role wallet_owner")
        await connection.execute(sql.replace(right, wrong))
    await connection.close()
    fresh.app.state.tested_dsn = made.dsn
    with pytest.raises((AssertionError, KeyError, asyncpg.PostgresError)) as caught:  # a 204 has no problem
        await check(fresh)
    assert not isinstance(caught.value, asyncpg.SyntaxOrAccessError)

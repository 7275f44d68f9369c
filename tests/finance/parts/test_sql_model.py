"""Random postings, edits, merges, undos and redates against the model, and from all sides at once."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import pytest
from support.kernel.harness import Kernel, Op, op, refund, transfer

from wallet_service.core.identifiers import new_id

from .parts_model import Entry, Key, Model, Part
from .sql_book import CALLER, Row, SqlBook

ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Kiritimati")
CATEGORIES = ("food", "rent", "salary", "fuel", "not_counted")
START = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = ("entry_not_found", "entry_pending", "pair_exists", "label_cycle", "label_depth")


class Run:
    """One search: the database and the model side by side. No two amounts agree, so nothing pairs by itself."""

    def __init__(self, book: SqlBook, seed: int) -> None:
        self.book = book
        self.random = random.Random(seed)  # noqa: S311 - a test's data
        self.model = Model(ZONES[0])
        self.wallets: list[str] = []
        self.posted: dict[Key, str] = {}
        self.refunded: dict[Key, Decimal] = {}
        self.labels: dict[str, str] = {}
        self.used: set[Decimal] = set()

    async def begin(self) -> None:
        self.wallets = [await self.book.wallet() for _ in range(3)]
        for key in CATEGORIES:
            self.labels[key] = await self.book.label(key)

    def amount(self) -> Decimal:
        while (found := Decimal(self.random.randint(2, 999999)) / 100) in self.used:
            pass
        self.used.add(found)
        return found

    def moment(self) -> tuple[str, dict[str, str]]:
        moment = START + timedelta(hours=self.random.randrange(24 * 60))
        days = {zone: moment.astimezone(ZoneInfo(zone)).date().isoformat() for zone in ZONES}
        return moment.isoformat().replace("+00:00", "Z"), days

    def done(self) -> list[Key]:
        return [key for key in self.model.entries if key[1] <= self.model.done.get(key[0], 0)]

    async def step(self) -> None:
        what = self.random.choice(
            (
                "post",
                "post",
                "transfer",
                "refund",
                "catalogue",
                "edit",
                "edit",
                "bulk",
                "move",
                "undo",
                "undo",
            )
            + (("redate",) if self.random.random() < 0.3 else ())
        )
        if what in ("edit", "bulk", "move") and not self.done():
            what = "catalogue"
        await getattr(self, what)()

    async def post(self) -> None:
        wallet, amount = self.random.choice(self.wallets), self.amount()
        credit = self.random.random() < 0.5
        at, days = self.moment()
        (made,) = await self.book.post(
            op("deposit" if credit else "withdraw", wallet, str(amount), effective_at=at)
        )
        default = "uncategorised_income" if credit else "uncategorised_expense"
        key = self.model.add(wallet, Entry(amount if credit else -amount, days, plain=True, default=default))
        self.posted[key] = made["transaction_id"]

    async def transfer(self) -> None:
        source, target = self.random.sample(self.wallets, 2)
        amount = self.amount()
        at, days = self.moment()
        await self.book.post(transfer(source, target, str(amount), effective_at=at))
        self.model.add(source, Entry(-amount, days, plain=False, default="own_transfers"))
        self.model.add(target, Entry(amount, days, plain=False, default="own_transfers"))

    async def refund(self) -> None:
        if not self.posted:
            return
        key = self.random.choice(list(self.posted))
        entry = self.model.entries[key]
        rest = abs(entry.amount) - self.refunded.get(key, Decimal(0))
        if not rest:
            return
        amount = min(rest, Decimal(self.random.randint(1, 99999)) / 100)
        at, days = self.moment()
        await self.book.post(refund(self.posted[key], str(amount)) | {"effective_at": at})
        self.refunded[key] = self.refunded.get(key, Decimal(0)) + amount
        self.model.add(
            key[0],
            Entry(amount if entry.amount < 0 else -amount, days, plain=False, default="", original=key),
        )

    async def catalogue(self) -> None:
        self.model.catalogue()
        assert (await self.book.catalogue())["pending"] == 0

    def split(self, key: Key) -> tuple[Part, ...]:
        rest = self.model.entries[key].amount
        parts: list[Part] = []
        for _ in range(self.random.randint(0, 3)):
            piece = Decimal(self.random.randint(-500, 500)) / 100
            if piece and rest - piece:
                parts.append(Part(piece, self.random.choice(CATEGORIES), edited=True))
                rest -= piece
        return (*parts, Part(rest, self.random.choice(CATEGORIES), edited=True))

    def change(self, key: Key, parts: tuple[Part, ...]) -> Row:
        named = [{"amount": str(each.amount), "category_id": self.labels[each.category]} for each in parts]
        return {"wallet_id": key[0], "wallet_version": key[1], "parts": named}

    async def edit(self) -> None:
        key, run = self.random.choice(self.done()), new_id()
        parts = self.split(key)
        changed = self.model.change(run, key, parts)
        answer = await self.book.edit(*key, {"parts": self.change(key, parts)["parts"]}, run)
        assert (answer["run_id"] is not None) == changed

    async def bulk(self) -> None:
        run = new_id()
        keys = self.random.choices(self.done(), k=self.random.randint(1, 6))
        splits = [(key, self.split(key)) for key in keys]
        wanted = ["changed" if self.model.change(run, *each) else "unchanged" for each in splits]
        items = [self.change(*each) for each in splits]
        answer = await self.book.call("edit_parts", self.book.book_id, items, run, CALLER)
        assert [each["status"] for each in answer["items"]] == wanted

    async def move(self) -> None:
        key, run = self.random.choice(self.done()), new_id()
        day = (START + timedelta(days=self.random.randrange(60))).date().isoformat()
        self.model.change(run, key, day=day)
        await self.book.edit(*key, {"booked_on": day}, run)

    async def redate(self) -> None:
        run = new_id()
        self.model.zone = self.random.choice(ZONES)
        await self.book.call("update_book", self.book.book_id, None, {"time_zone": self.model.zone}, CALLER)
        self.model.redate(run)
        place: dict[str, Any] | None = {"after_wallet": None, "after_version": None}
        while place is not None:
            answer = await self.book.call(
                "redate_parts",
                self.book.book_id,
                run,
                place["after_wallet"],
                place["after_version"],
                5,
                CALLER,
            )
            place = answer["next"]

    async def undo(self) -> None:
        free = [run for run in self.model.runs if run not in self.model.undone]
        if not free:
            return
        run, by = self.random.choice(free), new_id()
        kept = self.model.undo(run, by)
        self.model.undone[run] = by
        while True:
            answer = await self.book.call("undo_run", run, self.book.book_id, by, 3, CALLER)
            if answer["done"]:
                break
        assert [(each["wallet_id"], each["wallet_version"]) for each in answer["kept"]] == kept

    async def compare(self) -> None:
        for wallet in self.wallets:
            found = [(each[0], each[2], each[3], each[4]) for each in await self.book.parts(wallet)]
            wanted = [
                (version, entry.day, part.amount, part.category)
                for (of, version), entry in sorted(self.model.entries.items())
                if of == wallet and version <= self.model.done.get(wallet, 0)
                for part in entry.parts
            ]
            assert found == wanted
        assert await self.book.verify() == set()


@pytest.mark.parametrize("seed", range(3))
async def test_parts_are_what_the_model_says(timed_kernel: Kernel, seed: int) -> None:
    run = Run(await SqlBook.create(timed_kernel), seed)
    await run.begin()
    for number in range(150):
        await run.step()
        if number % 30 == 29:
            await run.compare()
    assert len(run.model.undone) > 5


class Crowd:
    """Callers that do all at once: what they do is not foreseen, and whatever came of it adds up."""

    def __init__(self, book: SqlBook, wallets: list[str]) -> None:
        self.book = book
        self.wallets = wallets
        self.runs: list[str] = []
        self.bought: list[str] = []

    async def act(self, seed: int) -> None:
        chooser = random.Random(seed)  # noqa: S311 - a test's data
        for _ in range(25):
            try:
                await self._one(chooser)
            except asyncpg.PostgresError as error:
                # What is not there yet, or another one changed or took first.
                if error.args[0] not in KNOWN:
                    raise

    async def _one(self, chooser: random.Random) -> None:  # noqa: C901, PLR0912 - one case for each kind of call
        book, wallet, version = self.book, chooser.choice(self.wallets), chooser.randint(1, 30)
        match chooser.choice(("post", "post", "catalogue", "edit", "undo", "redate", "merge", "pair")):
            case "post":
                amount = str(chooser.randint(1, 5))
                operations: list[Op] = [op(chooser.choice(("deposit", "withdraw")), wallet, amount)]
                if self.bought:
                    operations.append(refund(chooser.choice(self.bought), "0.1"))
                for operation in operations:
                    outcome = await book.kernel.one(operation)
                    if outcome.status == "posted" and operation["type"] == "withdraw":
                        self.bought.append(outcome.transaction["transaction_id"])
            case "catalogue":
                await book.catalogue(chooser.randint(1, 8))
            case "edit":
                run = new_id()
                key = chooser.choice(CATEGORIES)
                change = {"changes": {"category_id": await book.label(key)}}
                await book.edit(wallet, version, change, run)
                self.runs.append(run)
            case "undo" if self.runs:
                run = chooser.choice(self.runs)
                if await book.kernel.value("select count(*) from finance.runs where run_id = $1", run):
                    await book.undo(run, chooser.randint(1, 3))
            case "redate":
                zone = chooser.choice(ZONES)
                await book.call("update_book", book.book_id, None, {"time_zone": zone}, CALLER)
                await book.call("redate_parts", book.book_id, new_id(), None, None, 50, CALLER)
            case "merge":
                first, second = chooser.sample(CATEGORIES, 2)
                ids = await book.label(first), await book.label(second)
                await book.call("merge_label", ids[0], book.book_id, "category", None, ids[1], CALLER)
                await book.call("unmerge_label", ids[0], book.book_id, "category", None, CALLER)
            case _:
                page, _after = await book.call("list_pairs", book.book_id, "suggested", None, 5)
                for each in page[:1]:
                    sides = {
                        side: {name: each[side][name] for name in ("wallet_id", "wallet_version")}
                        for side in ("debit", "credit")
                    }
                    made = await book.call("create_pair", new_id(), book.book_id, sides, new_id(), CALLER)
                    if chooser.random() < 0.5:
                        await book.call("delete_pair", made["pair_id"], book.book_id, new_id(), CALLER)


@pytest.mark.parametrize("seed", range(2))
async def test_all_adds_up_whatever_is_done_at_once(timed_kernel: Kernel, seed: int) -> None:
    book = await SqlBook.create(timed_kernel)
    crowd = Crowd(book, [await book.wallet() for _ in range(3)])
    await asyncio.gather(*(crowd.act(10 * seed + number) for number in range(5)))
    while (await book.catalogue())["pending"]:
        pass
    for wallet in crowd.wallets:
        last = await book.kernel.value("select last_entry from wallet.wallets where wallet_id = $1", wallet)
        versions = {each[0] for each in await book.parts(wallet)}
        assert versions == set(range(1, last + 1))
    assert await book.verify() == set()

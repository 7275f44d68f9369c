"""The whole API against a ledger in plain Python: random sequences of calls, also concurrent ones.

Each example is a sequence of steps on a database of its own. ``support.oracle`` computes the expected response of each
call. The responses of concurrent calls must fit some order of them. ``scripts/soak`` runs more and longer sequences.
"""

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import expected_reads as reads
from support.api import Api, open_api
from support.call_sequences import (
    HUGE,
    NOWHERE,
    USERS,
    Call,
    at_once,
    keys,
    kinds,
    movements,
    operations,
    patches,
    places,
    some_order,
)
from support.cluster import Cluster, create_database, drop_database
from support.database_location import open_location
from support.expectations import Document
from support.expected_audit import ACTIONS, check_entries
from support.job_room.room import ROOM as JOB_ROOM
from support.job_room.twice import do_twice
from support.oracle import EXPONENTS, Oracle, assert_refused
from support.soak import SOAKS, search

from wallet_service.core.identifiers import new_id
from wallet_service.ledger.verify import verify
from wallet_service.rooms import ROOMS

T = TypeVar("T")

STEPS = 60 if SOAKS else 30

_STEPS: list[tuple[str, st.SearchStrategy[tuple[str, Document]]]] = []

Step = TypeVar("Step", bound=Callable[..., None])


def step(*, weight: int = 1, **drawn: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """Makes the method a step of sequences, which get it with drawn arguments, as often as its weight."""

    def add(method: Step) -> Step:
        strategy = st.tuples(st.just(method.__name__), st.fixed_dictionaries(drawn))
        _STEPS.extend([(method.__name__, strategy)] * weight)
        return method

    return add


def sequences(*without: str) -> st.SearchStrategy[list[tuple[str, Document]]]:
    """Sequences of steps, without the steps with these names."""
    # No filter: hypothesis would draw the steps first and then discard nearly every sequence.
    steps = [strategy for name, strategy in _STEPS if name not in without]
    return st.lists(st.one_of(steps), min_size=STEPS, max_size=STEPS)


class Run:
    """A running sequence: the API and the oracle."""

    def __init__(self, cluster: Cluster, driver: str, batch_operations: int) -> None:
        self.cluster = cluster
        self.driver = driver
        self.batch_operations = batch_operations
        self.oracle = Oracle()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.api = self.run(self.start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def start(self) -> Api:
        name = f"stateful_{secrets.token_hex(8)}"
        await create_database(self.cluster, name)
        self.stack.push_async_callback(drop_database, self.cluster, name)
        place = await self.stack.enter_async_context(open_location(self.driver, self.cluster, name))
        application = open_api(place, rooms=(*ROOMS, JOB_ROOM), commit_batch_operations=self.batch_operations)
        return await self.stack.enter_async_context(application)

    def close_all(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    def ledger_is_verified(self) -> None:
        lines: list[str] = []
        walks = [walk for room in ROOMS for walk in room.verify_walks]
        assert self.run(verify(self.api.app.state.database, lines.append, walks)), lines

    def each_commit_has_one_event(self) -> None:
        """In the order of each wallet; what was refused, replayed or tried, or changed nothing, has none."""
        entries: dict[str, list[Document]] = {name: [] for name in self.oracle.wallets}
        versions: dict[str, list[int]] = {name: [] for name in self.oracle.wallets}
        query: Document = {}
        while True:
            page = self.get("/events", **query)
            for event in page["items"]:
                if event["type"] == "transaction.posted":
                    entries[event["walletid"]].append(event["data"])
                elif event["type"].startswith("wallet."):
                    versions[event["walletid"]].append(event["data"]["after"]["version"])
            query["after"] = page["next_cursor"]
            if not page["has_more"]:
                break
        wallets = self.oracle.wallets
        assert entries == {name: list(wallet.entries) for name, wallet in wallets.items()}
        assert versions == {name: [*range(1, wallet.version + 1)] for name, wallet in wallets.items()}

    def each_change_has_one_audit_entry(self) -> None:
        """With the caller, what was before and after, and what differs, for each version of each wallet."""
        found: dict[str, list[Document]] = {name: [] for name in self.oracle.wallets}
        for action in ACTIONS:
            for entry in self.pages("/audit", 100, action=action):
                found[entry["object_id"]].append(entry)
        for name, wallet in self.oracle.wallets.items():
            check_entries(sorted(found[name], key=lambda entry: entry["sequence"]), wallet)

    # Places in a program become wallets and postings when it runs.

    def wallet(self, place: int, keeping: str | None = None) -> str:
        wallets = [name for name, wallet in self.oracle.wallets.items() if keeping in (None, wallet.keeping)]
        return new_id() if place == NOWHERE else wallets[place % len(wallets)]

    def partner(self, place: int, wallet_id: str, *, abroad: bool) -> str:
        """The other wallet of a transfer: unless ``abroad``, one with which it can go well, if there is one."""
        wallet = self.oracle.wallets.get(wallet_id)
        if abroad or wallet is None or place == NOWHERE:
            return self.wallet(place)
        alike = (wallet.currency, wallet.keeping)
        others = [
            name
            for name, each in self.oracle.wallets.items()
            if (each.currency, each.keeping) == alike and name != wallet_id
        ]
        return others[place % len(others)] if others else wallet_id

    def operation(self, drawn: Document, key: str | None) -> Document:
        operation = {
            name: value for name, value in drawn.items() if name not in ("wallet", "to", "posting", "abroad")
        }
        if drawn["type"] == "refund":
            postings = list(self.oracle.documents)[::-1]
            there = postings and drawn["posting"] != NOWHERE
            operation["original_transaction_id"] = (
                postings[drawn["posting"] % len(postings)] if there else new_id()
            )
            return operation if key is None else operation | {"idempotency_key": key}
        if "drawn" in drawn:
            operation = {name: value for name, value in operation.items() if name != "drawn"}
            operation["entries"] = self.entries(drawn["drawn"])
            return operation if key is None else operation | {"idempotency_key": key}
        operation["wallet_id"] = self.wallet(drawn["wallet"])
        wallet = self.oracle.wallets.get(operation["wallet_id"])
        if drawn["type"] == "transfer":
            abroad = drawn.get("abroad", False)
            operation["to_wallet_id"] = self.partner(drawn["to"], operation["wallet_id"], abroad=abroad)
            operation.pop("counter_account", None)
        if wallet is not None and wallet.keeping == "mirrored" and "counter_account" in operation:
            operation["counter_account"] = "mirrored:shop"
        if "amount" in operation:
            operation["amount"] = _summable(operation["amount"], wallet)
        return operation if key is None else operation | {"idempotency_key": key}

    def entries(self, drawn: list[Document]) -> list[Document]:
        """Entries with an account on the other side, and pairs of entries between two wallets."""
        entries: list[Document] = []
        first = None
        for each in drawn:
            # Entries mostly stay among wallets of one keeping.
            wallet_id = self.wallet(each["wallet"], keeping=None if each["abroad"] else first)
            wallet = self.oracle.wallets.get(wallet_id)
            first = first or (wallet and wallet.keeping)
            side = {"wallet_id": wallet_id, "direction": each["direction"]}
            side["amount"] = _summable(each["amount"], wallet)
            if each["other"] is None:
                kept = wallet is not None and wallet.keeping == "mirrored"
                entries.append(side | {"counter_account": "mirrored:fx" if kept else "fx:A-B"})
                continue
            other_id = self.partner(each["other"], wallet_id, abroad=each["abroad"])
            back = {"debit": "credit", "credit": "debit"}[each["direction"]]
            amount = side["amount"] if each["agrees"] else "1"
            entries.append(side | {"counter_account": f"wallet:{other_id}"})
            entries.append(
                {
                    "wallet_id": other_id,
                    "direction": back,
                    "amount": _summable(amount, self.oracle.wallets.get(other_id)),
                    "counter_account": f"wallet:{wallet_id}",
                }
            )
        return entries

    def moving(self, operation: Document, *, in_header: bool = False, dry_run: bool = False) -> Call:
        body = {
            name: value
            for name, value in operation.items()
            if name not in ("wallet_id", "original_transaction_id")
            and (name != "type" or "entries" in operation)
        }
        header = body.pop("idempotency_key", None) if in_header else None
        if dry_run:
            body["dry_run"] = True
        verb = "adjust" if operation["type"] == "adjustment" else operation["type"]
        if "entries" in operation:
            path = "/transactions"
        elif verb == "refund":
            path = f"/transactions/{operation['original_transaction_id']}/refund"
        else:
            path = f"/wallets/{operation['wallet_id']}/{verb}"
        return Call(
            lambda api: api.admin.post(path, body, key=header),
            lambda oracle, answer: oracle.move(operation, answer, dry_run=dry_run),
            f"POST {path} {body}",
        )

    def batching(
        self, batch: list[Document], key: str | None = None, *, atomic: bool = False, dry_run: bool = False
    ) -> Call:
        named = [
            operation if key is None else {"idempotency_key": f"{key}/{place}", **operation}
            for place, operation in enumerate(batch)
        ]
        return Call(
            lambda api: api.admin.batch(*batch, key=key, atomic=atomic, dry_run=dry_run),
            lambda oracle, answer: oracle.batch(named, answer, atomic=atomic, dry_run=dry_run),
            f"batch {batch} {key} {atomic} {dry_run}",
            ()
            if atomic
            else tuple(
                partial(Oracle.part_of_batch, operations=named, place=place, dry_run=dry_run)
                for place in range(len(named))
            ),
        )

    def patching(self, wallet_id: str, changes: Document, version: int | None = None) -> Call:
        tag = None if version is None else f'"{version}.0"'
        return Call(
            lambda api: api.admin.patch(f"/wallets/{wallet_id}", changes, if_match=tag),
            lambda oracle, answer: oracle.patch(wallet_id, changes, version, answer),
            f"PATCH {wallet_id} {changes} {tag}",
        )

    def closing(self, wallet_id: str, version: int | None = None) -> Call:
        tag = None if version is None else f'"{version}.0"'
        return Call(
            lambda api: api.admin.delete(f"/wallets/{wallet_id}", if_match=tag),
            lambda oracle, answer: oracle.close(wallet_id, version, answer),
            f"DELETE {wallet_id} {tag}",
        )

    def creating(self, request: Document, key: str | None = None) -> Call:
        return Call(
            lambda api: api.admin.post("/wallets", request, key=key),
            lambda oracle, answer: oracle.create(request, key, answer),
            f"POST /wallets {request} {key}",
        )

    def do(self, call: Call) -> httpx.Response:
        answer = self.run(call.send(self.api))
        call.judge(self.oracle, answer)
        return answer

    # Steps

    def begin(self, currency: str) -> None:
        for user in USERS:
            for of in dict.fromkeys(("CREDIT", currency)):
                self.make(user, of, "main", None, "20", None, None)
            self.make(user, currency, "bank", None, "-5", None, "mirrored")

    @step(
        user=st.sampled_from(USERS),
        currency=st.sampled_from((*EXPONENTS, "XXYZ")),
        name=st.sampled_from(("main", "travel", "rent", "gifts")),
        credit_limit=st.sampled_from((None, "0", "10", "0.001")),
        initial_balance=st.sampled_from((None, "0", "20", "0.001", "-5")),
        key=keys,
        keeping=st.sampled_from((None, None, "operating", "mirrored")),
    )
    def make(
        self,
        user: str,
        currency: str,
        name: str,
        credit_limit: str | None,
        initial_balance: str | None,
        key: str | None,
        keeping: str | None,
    ) -> None:
        request: Document = {"user_id": user, "currency": currency, "name": name}
        if keeping is not None:
            request["keeping"] = keeping
        if credit_limit is not None:
            request["credit_limit"] = credit_limit
        if initial_balance is not None:
            request["initial_balance"] = initial_balance
        answer = self.run(self.api.admin.post("/wallets", request, key=key))
        opening_id = None
        if answer.status_code == 201 and answer.json()["last_entry"] == 1:
            history = self.get(f"/wallets/{answer.json()['wallet_id']}/transactions")
            opening_id = history["items"][-1]["transaction_id"]
        self.oracle.create(request, key, answer, opening_id)

    @step(
        weight=4,
        drawn=operations,
        key=keys,
        in_header=st.booleans(),
        dry_run=st.sampled_from((False, False, True)),
    )
    def move(self, drawn: Document, key: str | None, in_header: bool, dry_run: bool) -> None:
        self.do(self.moving(self.operation(drawn, key), in_header=in_header, dry_run=dry_run))

    @step(weight=2, drawn=operations, key=keys)
    def move_and_again(self, drawn: Document, key: str | None) -> None:
        """A keyed request is sent twice, the second time in a batch."""
        operation = self.operation(drawn, key or f"again-{new_id()}")
        first = self.do(self.moving(operation))
        second = self.do(self.moving(operation, in_header=True))
        assert first.status_code != 201 or second.content == first.content
        self.do(self.batching([operation, operation]))

    @step(
        weight=3,
        drawn=st.lists(st.tuples(operations, keys), min_size=1, max_size=6),
        key=st.sampled_from((None, "batch-1", "batch-2")),
        atomic=st.booleans(),
        dry_run=st.sampled_from((False, False, True)),
    )
    def batch(
        self, drawn: list[tuple[Document, str | None]], key: str | None, atomic: bool, dry_run: bool
    ) -> None:
        batch = [self.operation(each, each_key) for each, each_key in drawn]
        self.do(self.batching(batch, key, atomic=atomic, dry_run=dry_run))

    @step(
        drawn=st.lists(movements, min_size=1, max_size=3),
        bad=st.sampled_from(("0", "-1", "1e400", "NaN", "")),
    )
    def batch_with_a_misfit(self, drawn: list[Document], bad: str) -> None:
        batch = [self.operation(each, None) for each in drawn]
        misfit = batch[len(batch) // 2] | {"amount": bad}
        for atomic in (True, False):
            self.do(self.batching([*batch, misfit], atomic=atomic))

    @step(weight=3, place=places, changes=patches, version=st.sampled_from((None, None, 1, 2, 3)))
    def patch(self, place: int, changes: Document, version: int | None) -> None:
        self.do(self.patching(self.wallet(place), changes, version))

    @step(place=places, emptied=st.booleans(), version=st.sampled_from((None, None, None, 1, 2)))
    def close(self, place: int, emptied: bool, version: int | None) -> None:
        wallet_id = self.wallet(place)
        account = self.oracle.model.accounts.get(wallet_id)
        if emptied and account is not None and account.balance != 0:
            kind = "withdraw" if account.balance > 0 else "deposit"
            amount = format(abs(account.balance), "f")
            self.do(self.moving({"type": kind, "wallet_id": wallet_id, "amount": amount}))
        self.do(self.closing(wallet_id, version))

    @step(user=st.sampled_from(USERS), drawn=movements, key=keys)
    def consume_credits(self, user: str, drawn: Document, key: str | None) -> None:
        path = f"/users/{user}/credits"
        self.oracle.credits_wallet(user, self.get(f"{path}/balance")["wallet_id"])
        operation = self.operation(drawn | {"type": "consume"}, key)
        if "counter_account" in drawn:  # not that of a mirrored wallet
            operation["counter_account"] = drawn["counter_account"]
        body = {name: operation[name] for name in operation if name not in ("type", "wallet_id")}
        answer = self.run(self.api.admin.post(f"{path}/consume", body))
        primary = self.get(f"{path}/balance")["wallet_id"]
        self.oracle.credits_wallet(user, primary)
        wallet_id = self.oracle.credits_spent_under(user, key) or primary
        if wallet_id is None:
            assert_refused(answer, "amount_invalid")  # and so no wallet was needed
        else:
            self.oracle.move(operation | {"wallet_id": wallet_id}, answer)

    @step(weight=4, drawn=st.lists(at_once, min_size=2, max_size=8), twice=st.booleans())
    def many_at_once(self, drawn: list[tuple[Any, Any, Any]], twice: bool) -> None:
        calls: list[Call] = []
        for called, first, second in drawn:
            match called:
                case "move":
                    calls.append(self.moving(self.operation(first, second)))
                case "batch":
                    batch = [self.operation(each, None) for each in first]
                    calls.append(self.batching(batch, atomic=second))
                case "patch":
                    calls.append(self.patching(self.wallet(first), second))
                case "close":
                    calls.append(self.closing(self.wallet(first)))
                case _:
                    calls.append(self.creating({"user_id": first, "currency": second, "name": "at-once"}))
        calls += calls[:1] if twice else []
        self.all_at_once(calls)

    @step(
        places=st.lists(st.tuples(places, places), min_size=4, max_size=10),
        amount=st.sampled_from(("1", "7", "30")),
    )
    def transfers_at_once(self, places: list[tuple[int, int]], amount: str) -> None:
        self.all_at_once(
            [
                self.moving(
                    self.operation({"type": "transfer", "amount": amount, "wallet": one, "to": other}, None)
                )
                for one, other in places
            ]
        )

    def all_at_once(self, calls: list[Call]) -> None:
        async def send() -> list[httpx.Response]:
            return await asyncio.gather(*(call.send(self.api) for call in calls))

        answers = self.run(send())
        self.oracle = some_order(self.oracle, list(zip(calls, answers, strict=True)))

    @step(place=places, amount=st.sampled_from(("1", "2.5", "7")), is_at_once=st.booleans())
    def deposit_in_a_job(self, place: int, amount: str, is_at_once: bool) -> None:
        """The job is done twice, because its first worker hung; its deposit is made once, and replayed over HTTP."""
        operation = self.operation({"type": "deposit", "wallet": place, "amount": amount}, None)
        arguments = {"wallet_id": operation["wallet_id"], "amount": amount, "pause_s": 0}
        job = self.run(do_twice(self.api, "deposit_once", arguments, is_at_once=is_at_once))
        operation["idempotency_key"] = f"job:{job['job_id']}"
        call = self.moving(operation, in_header=True)
        if job["status"] != "succeeded":
            assert self.do(call).json()["code"] == job["error"]["code"]
            return
        answer = self.run(call.send(self.api))
        assert answer.headers["idempotency-replayed"] == "true"
        assert job["result"] == {"transaction_id": answer.json()["transaction_id"]}
        self.oracle.move(
            operation,
            httpx.Response(201, content=answer.content, headers={"location": answer.headers["location"]}),
        )
        self.oracle.move(operation, answer)

    # Reads

    def get(self, path: str, **query: Any) -> Any:
        answer = self.run(self.api.admin.get(path, **query))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pages(self, path: str, limit: int, **query: Any) -> list[Document]:
        items: list[Document] = []
        page = self.get(path, limit=limit, **query)
        while True:
            assert len(page["items"]) <= limit
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            page = self.get(path, limit=limit, cursor=page["next_cursor"], **query)

    def wallets_are_as_expected(self) -> None:
        for user in USERS:
            mine = [wallet for wallet in self.oracle.wallets.values() if wallet.user_id == user]
            listed = self.pages(f"/users/{user}/wallets", 100)
            assert [document["wallet_id"] for document in listed] == sorted(
                wallet.wallet_id for wallet in mine
            )
            for document in listed:
                self.oracle.is_wallet(document)

    @step(place=st.integers(0, 1000), before=st.booleans())
    def read_past_balances(self, place: int, before: bool) -> None:
        documents = list(self.oracle.documents.values())
        moment = documents[place % len(documents)]["created_at"]
        if before:
            moment = _one_microsecond_before(moment)
        for wallet_id in self.oracle.wallets:
            expected = reads.balance_at(self.oracle, wallet_id, moment)
            assert self.get(f"/wallets/{wallet_id}/balance", at=moment) == expected
            expected = reads.balance_at(self.oracle, wallet_id, moment, "effective_at")
            assert self.get(f"/wallets/{wallet_id}/balance", at=moment, by="effective") == expected
            assert self.get(f"/wallets/{wallet_id}/balance") == reads.balance(self.oracle, wallet_id)

    @step(
        limit=st.integers(1, 4),
        place=st.integers(0, 1000),
        filters=st.fixed_dictionaries(
            {},
            optional={
                "type": kinds,
                "reference": st.just("invoice-1"),
                "counter_account": st.just("revenue:usage"),
                "min_amount": st.just("1"),
                "max_amount": st.just("20"),
            },
        ),
    )
    def read_histories(self, limit: int, place: int, filters: Document) -> None:
        wallets = list(self.oracle.wallets)
        wallet_id = wallets[place % len(wallets)]
        user = USERS[place % len(USERS)]
        of_wallet = reads.entries(self.oracle, wallet_id=wallet_id)
        of_user = reads.entries(self.oracle, user_id=user)
        assert self.pages(f"/wallets/{wallet_id}/transactions", limit) == of_wallet
        assert self.pages(f"/users/{user}/transactions", 50) == of_user
        kept = [entry for entry in of_user if reads.passes(entry, filters)]
        assert self.pages(f"/users/{user}/transactions", limit + 3, **filters) == kept
        by_effect = reads.entries(self.oracle, user_id=user, by="effective_at")
        assert self.pages(f"/users/{user}/transactions", 50, by="effective") == by_effect
        document = list(self.oracle.documents.values())[place % len(self.oracle.documents)]
        assert self.get(f"/transactions/{document['transaction_id']}") == document

    @step(one=st.integers(0, 1000), other=st.integers(0, 1000))
    def read_statistics(self, one: int, other: int) -> None:
        moments = sorted({document["created_at"] for document in self.oracle.documents.values()})
        start, end = sorted((moments[one % len(moments)], moments[other % len(moments)]))
        period = {"from": start} if start == end else {"from": start, "to": end}
        for query in ({}, period):
            for user in USERS:
                for by, moment in (("posted", "created_at"), ("effective", "effective_at")):
                    found = self.get(f"/users/{user}/statistics", by=by, **query)
                    for member, keeping in (("currencies", "operating"), ("mirrored", "mirrored")):
                        mine = [
                            wallet
                            for wallet, each in self.oracle.wallets.items()
                            if (each.user_id, each.keeping) == (user, keeping)
                        ]
                        assert found[member] == reads.statistics(self.oracle, mine, query, moment)
            wallet_id = list(self.oracle.wallets)[one % len(self.oracle.wallets)]
            told = self.get(f"/wallets/{wallet_id}/statistics", **query)
            assert told["currencies"] == reads.statistics(self.oracle, [wallet_id], query)

    @step()
    def read_trial_balance(self) -> None:
        assert self.get("/ledger/trial-balance") == reads.trial_balance(self.oracle)


def _summable(amount: Any, wallet: Any) -> Any:
    """An amount whose sums have no more digits than Python's Decimal: not the largest one with 18 decimals."""
    is_ether = wallet is not None and wallet.currency == "ETH"
    return "1" if is_ether and amount == HUGE else amount


def _one_microsecond_before(moment: str) -> str:
    return (
        (datetime.fromisoformat(moment) - timedelta(microseconds=1))
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )


@pytest.mark.first
@pytest.mark.soak
@pytest.mark.parametrize(
    ("driver", "batch_operations"),
    [
        ("postgres", 1),
        ("postgres", 2),
        ("postgres", 50),
        # Batches are made above the driver.
        pytest.param("supabase", 2, marks=pytest.mark.supabase),
    ],
    indirect=["driver"],
)
@search(6)
@given(
    currency=st.sampled_from(tuple(EXPONENTS)),
    program=sequences(),
)
def test_programs(
    postgres: Any, driver: str, batch_operations: int, currency: str, program: list[tuple[str, Document]]
) -> None:
    running = Run(postgres.cluster, driver, batch_operations)
    try:
        running.begin(currency)
        for name, drawn in program:
            getattr(running, name)(**drawn)
            if not name.startswith("read_"):  # what a read changes all the same, the next step shows
                running.wallets_are_as_expected()
        running.each_commit_has_one_event()
        running.each_change_has_one_audit_entry()
        running.ledger_is_verified()
    finally:
        running.close_all()

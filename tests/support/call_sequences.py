"""Sequences of calls, and the orders in which concurrent calls can have happened."""

import dataclasses
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis import strategies as st

from support.api import Api
from support.oracle import EXPONENTS, Oracle

USERS = ("ann", "bob")
NAMES = ("main", "travel")
KEYS = ("k-1", "k-2", "batch-1/0", "batch-1/1")
HUGE = "9" * 20
NOWHERE = 30
"""The number of a wallet or posting that does not exist."""

ABROAD = (False,) * 7 + (True,)
"""Whether a transfer may go to a wallet of another currency."""


@dataclass(frozen=True)
class Call:
    """A request, and a check of its response: AssertionError for a wrong one; else whether it changed something.

    Attributes:
        parts: the operations of a batch, each checked by itself. Those whose wallet another session has locked are
            decided after the others, and what happens in between is visible.
    """

    send: Callable[[Api], Coroutine[Any, Any, httpx.Response]]
    judge: Callable[[Oracle, httpx.Response], bool]
    named: str
    parts: tuple[Callable[[Oracle, httpx.Response], bool], ...] = ()


def some_order(oracle: Oracle, done: list[tuple[Call, httpx.Response]]) -> Oracle:
    """The ledger after these calls, in an order that explains each response."""
    try:
        return _some_order(oracle, done)
    except AssertionError:
        apart = [
            (dataclasses.replace(call, judge=part, parts=()), answer)
            for call, answer in done
            for part in call.parts or (call.judge,)
        ]
        if len(apart) == len(done):
            raise
        return _some_order(oracle, apart)


def _some_order(oracle: Oracle, done: list[tuple[Call, httpx.Response]]) -> Oracle:
    tried: set[frozenset[int]] = set()
    refusals: list[str] = []

    def search(now: Oracle, left: frozenset[int]) -> Oracle | None:
        if not left:
            return now
        if left in tried:
            return None
        tried.add(left)
        for place in sorted(left):
            call, answer = done[place]
            following = now.clone()
            try:
                changed = call.judge(following, answer)
            except AssertionError as error:
                refusals.append(f"{sorted(left)} {call.named}: {error}")
                continue
            if not changed:
                # Nothing changed, so no other call depends on it: its place in the order does not matter.
                return search(now, left - {place})
            found = search(following, left - {place})
            if found is not None:
                return found
        return None

    found = search(oracle, frozenset(range(len(done))))
    answers = "\n".join(f"{call.named}: {answer.status_code} {answer.text}" for call, answer in done)
    assert found is not None, f"no order explains\n{answers}\n" + "\n".join(refusals[-12:])
    return found


places = st.integers(0, 30)
keys = st.sampled_from((None, None, None, *KEYS))
amounts = st.sampled_from(
    (
        "1",
        "1",
        "2.5",
        "10",
        "10",
        "0.01",
        "5",
        "0.5",
        "7",
        "15",
        "0.000001",
        "0.0000001",
        "50.00",
        3,
        0.25,
        HUGE,
    )
)
kinds = st.sampled_from(
    ("deposit", "deposit", "withdraw", "consume", "reward", "fee", "transfer", "transfer")
)
movements = st.fixed_dictionaries(
    {"type": kinds, "amount": amounts, "wallet": places, "to": places, "abroad": st.sampled_from(ABROAD)},
    optional={
        "reference": st.sampled_from(("invoice-1", "invoice-2")),
        "counter_account": st.sampled_from(("revenue:usage:small", "expense:gifts")),
        "effective_at": st.just("2026-01-31T12:00:00.250000Z"),
    },
)
refunds = st.fixed_dictionaries(
    {"type": st.just("refund"), "posting": places},
    optional={"amount": st.sampled_from(("1", "0.01", "0.5", "5"))},
)
adjustments = st.one_of(
    st.fixed_dictionaries({"balance": st.sampled_from(("0", "5", "20", "20.00", "-3", "0.0000001"))}),
    st.fixed_dictionaries({"amount": amounts, "direction": st.sampled_from(("credit", "debit"))}),
).flatmap(
    lambda way: st.fixed_dictionaries(
        {
            "type": st.just("adjustment"),
            "reason": st.just("count"),
            "wallet": places,
            **{name: st.just(value) for name, value in way.items()},
        },
        optional={"effective_at": st.just("2026-01-31T12:00:00.250000Z")},
    )
)
entries = st.fixed_dictionaries(
    {
        "wallet": places,
        "direction": st.sampled_from(("debit", "debit", "credit")),
        "amount": amounts,
        "abroad": st.sampled_from(ABROAD),
        "other": st.none() | places,
        "agrees": st.sampled_from((True, True, True, False)),
    }
)
payments = st.fixed_dictionaries(
    {
        "type": st.sampled_from(("payment", "payment", "exchange")),
        "drawn": st.lists(entries, min_size=1, max_size=3),
    },
    optional={"reference": st.just("invoice-1")},
)
operations = st.one_of(movements, movements, movements, refunds, refunds, adjustments, payments)
patches = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sampled_from(("frozen", "active", "active")),
        "credit_limit": st.sampled_from(("0", "20", "5.5")),
        "name": st.sampled_from(NAMES),
        "is_primary": st.booleans(),
        "metadata": st.sampled_from(({"team": "blue"}, {"team": "red"})),
    },
)
at_once = st.one_of(
    st.tuples(st.just("move"), operations, keys),
    st.tuples(st.just("move"), operations, keys),
    st.tuples(st.just("move"), operations, keys),
    st.tuples(st.just("batch"), st.lists(operations, min_size=1, max_size=4), st.booleans()),
    st.tuples(st.just("patch"), places, patches),
    st.tuples(st.just("close"), places, st.none()),
    st.tuples(st.just("create"), st.sampled_from(USERS), st.sampled_from(tuple(EXPONENTS))),
)

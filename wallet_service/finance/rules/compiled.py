"""Rules as they are applied: made of their documents, with the labels that stand for others."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from wallet_service.core.conditions import Test, Text, combine
from wallet_service.finance.rules.application import (
    EXACT,
    UNSET,
    Entry,
    Part,
    Rule,
    Setting,
    Share,
    apply_rules,
    facts_of,
)
from wallet_service.finance.rules.vocabulary import ID_FIELDS, VOCABULARY

LONGEST_S: Final = 30.0
"""The time that rules may take for one batch of entries, in seconds. Regular expressions can be made that take more."""
_PIECE: Final = 100

Document = Mapping[str, Any]


class RulesTooSlow(Exception):
    """The rules took longer than they may for a batch of entries."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What rules make of an entry.

    Attributes:
        entry: as it was read.
        held: whether one of the rules holds for one of its parts.
        after: the state of its parts; None: as it is.
    """

    entry: Document
    held: bool
    after: Sequence[Document] | None


class CompiledRules:
    """Rules of a book, ready to be applied.

    Args:
        documents: of the rules, in their order.
        links: the labels that stand for others: ``merged`` and ``below``.
    """

    def __init__(self, documents: Sequence[Document], links: Document) -> None:
        self._merged: Mapping[str, str] = links["merged"]
        self._below: Mapping[str, Sequence[str]] = links["below"]
        self._rules = [self._rule(each) for each in documents]

    async def apply(
        self, entries: Sequence[Document], *, overwrite: bool = False, longest_s: float = LONGEST_S
    ) -> Sequence[Outcome]:
        """What the rules make of entries. It runs in a thread, in pieces.

        Raises:
            RulesTooSlow: they take longer than ``longest_s``.
        """
        until = time.monotonic() + longest_s
        outcomes: list[Outcome] = []
        for start in range(0, len(entries), _PIECE):
            piece = entries[start : start + _PIECE]
            outcomes += await asyncio.to_thread(self._apply_piece, piece, overwrite, until)
        return outcomes

    def _apply_piece(self, entries: Sequence[Document], overwrite: bool, until: float) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for document in entries:
            if time.monotonic() > until:
                raise RulesTooSlow
            entry = entry_of(document)
            parts = apply_rules(self._rules, entry, self._resolve, overwrite=overwrite)
            held = parts is not None or self._holds(entry)
            after = None if parts is None else [state_of(part) for part in parts]
            outcomes.append(Outcome(document, held, after))
        return outcomes

    def _holds(self, entry: Entry) -> bool:
        facts = [facts_of(entry, part, self._resolve) for part in entry.parts]
        return any(rule.test(each) for rule in self._rules for each in facts)

    def _resolve(self, label: str) -> str:
        return self._merged.get(label, label)

    def _rule(self, document: Document) -> Rule:
        actions = document["actions"]
        return Rule(
            rule_id=document["rule_id"],
            test=combine([self._test(each) for each in document["conditions"]], document["match"]),
            setting=self._setting(actions),
            shares=[self._share(each) for each in actions.get("split", ())],
            stop=document["stop"],
        )

    def _test(self, condition: Document) -> Test:
        field, op, value = condition["field"], condition["op"], condition["value"]
        if field in ID_FIELDS and not isinstance(value, bool) and op.removeprefix("not_") != "under":
            value = self._resolve(value) if isinstance(value, str) else [*map(self._resolve, value)]
        return VOCABULARY.compile(field, op, value, lambda label: self._below.get(label, ()))

    def _setting(self, actions: Document) -> Setting:
        payee_id = actions.get("payee_id", UNSET)
        return Setting(
            category_id=self._resolve(actions["category_id"]) if "category_id" in actions else UNSET,
            payee_id=self._resolve(payee_id) if isinstance(payee_id, str) else payee_id,
            note=actions.get("note", UNSET),
            add_tag_ids=[*map(self._resolve, actions.get("add_tag_ids", ()))],
            remove_tag_ids=[*map(self._resolve, actions.get("remove_tag_ids", ()))],
        )

    def _share(self, share: Document) -> Share:
        percent, amount = share.get("percent"), share.get("amount")
        return Share(
            self._setting(share),
            None if percent is None else Decimal(percent),
            None if amount is None else Decimal(amount),
        )


def entry_of(document: Document) -> Entry:
    """An entry as the database has it, for the application of rules."""
    texts = {name: Text(document[name]) for name in ("description", "reference", "counter_account")}
    words = {name: document[name] for name in ("transaction_type", "direction", "currency", "wallet_id")}
    parts = [
        Part(
            amount=Decimal(state["amount"]),
            category_id=state["category_id"],
            payee_id=state["payee_id"],
            tag_ids=tuple(state["tag_ids"]),
            note=state["note"],
            booked_on=date.fromisoformat(state["booked_on"]),
            payment_method_id=state["payment_method_id"],
            pair_id=document["pair_id"],
            rule_id=state["rule_id"],
            edited=state["edited"],
        )
        for state in document["parts"]
    ]
    return Entry(texts | words, document["exponent"], parts)


def state_of(part: Part) -> Document:
    """A part as the database keeps its state."""
    return {
        "booked_on": part.booked_on.isoformat(),
        "amount": f"{part.amount:f}",
        "category_id": part.category_id,
        "payee_id": part.payee_id,
        "tag_ids": list(part.tag_ids),
        "payment_method_id": part.payment_method_id,
        "note": part.note,
        "rule_id": part.rule_id,
        "edited": part.edited,
    }


def shown_parts(states: Sequence[Document], exponent: int) -> Sequence[Document]:
    """States of parts for a caller: amounts with the currency's digits."""
    unit = Decimal(1).scaleb(-exponent)
    return [
        {**state, "amount": f"{Decimal(state['amount']).quantize(unit, context=EXACT):f}"} for state in states
    ]

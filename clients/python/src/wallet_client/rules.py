"""What is returned about rules: frozen dataclasses, datetimes with a time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of a book, which sets labels and notes of parts by conditions.

    Attributes:
        match: ``all`` conditions must hold, or ``any``.
        conditions: each has ``field``, ``op`` and ``value``.
        actions: what it sets: ``category_id``, ``payee_id``, ``note``, ``add_tag_ids``, ``remove_tag_ids``, ``split``.
        stop: whether later rules are not applied to an entry for which it held.
        active: whether it is applied to new entries by itself.
    """

    rule_id: str
    book_id: str
    name: str
    match: str
    conditions: Sequence[Mapping[str, Any]]
    actions: Mapping[str, Any]
    stop: bool
    active: bool
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class RuleOrder:
    """The rules of a book, in the order in which they are applied."""

    book_id: str
    rule_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class RuledEntry:
    """An entry for which a rule holds.

    Attributes:
        before: its parts now.
        after: its parts after the rule.
    """

    wallet_id: str
    wallet_version: int
    description: str | None
    currency: str
    before: Sequence[Mapping[str, Any]]
    after: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """What a rule would do.

    Attributes:
        examined: how many entries were looked at.
        held: for how many of them the rule holds.
        changed: how many of these it would change.
        items: the newest 100 of those for which it holds.
        pending_entries: how many entries of the book have no parts yet, and were not looked at.
    """

    examined: int
    held: int
    changed: int
    items: tuple[RuledEntry, ...]
    pending_entries: int

"""What parts should be, written plainly: one entry after the other, no SQL."""

from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

DAYS = 4

Key = tuple[str, int]


@dataclass(frozen=True)
class Part:
    """A part of the model."""

    amount: Decimal
    category: str
    edited: bool = False


@dataclass
class Entry:
    """An entry with its parts; ``plain``: a deposit or withdrawal."""

    amount: Decimal
    moment_day: dict[str, str]
    plain: bool
    default: str
    original: Key | None = None
    day: str = ""
    parts: tuple[Part, ...] = ()
    pair: Key | None = None


@dataclass
class Change:
    """What a run did to an entry."""

    key: Key
    before: tuple[tuple[Part, ...], str]
    after: tuple[tuple[Part, ...], str]


def share(amount: Decimal, weights: list[Decimal], unit: Decimal = Decimal("0.01")) -> list[Decimal]:
    """Pro rata by largest remainder, the earlier first."""
    units = Fraction(abs(amount)) / Fraction(unit)
    exact = [units * Fraction(weight) / Fraction(sum(weights)) for weight in weights]
    floors = [each.numerator // each.denominator for each in exact]
    order = sorted(range(len(exact)), key=lambda i: (floors[i] - exact[i], i))
    for i in order[: int(units) - sum(floors)]:
        floors[i] += 1
    return [(1 if amount > 0 else -1) * each * unit for each in floors]


@dataclass
class Model:
    """The entries of a book. ``done``: how many of each wallet are catalogued."""

    zone: str
    entries: dict[Key, Entry] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    runs: dict[str, list[Change]] = field(default_factory=dict)
    undone: dict[str, Any] = field(default_factory=dict)

    def add(self, wallet: str, entry: Entry) -> Key:
        key = (wallet, self.last.get(wallet, 0) + 1)
        self.last[wallet] = key[1]
        self.entries[key] = entry
        return key

    def catalogue(self) -> None:
        """All that is missing, as one call with room for all does it."""
        new = [key for key in sorted(self.entries) if key[1] > self.done.get(key[0], 0)]
        for key in new:
            self._give(self.entries[key])
        self.done = dict(self.last)

    def _give(self, entry: Entry) -> None:
        entry.day = entry.moment_day[self.zone]
        if entry.original is None:
            entry.parts = (Part(entry.amount, entry.default),)
            return
        source = self.entries[entry.original].parts
        shares = share(entry.amount, [each.amount for each in source])
        entry.parts = tuple(
            Part(amount, each.category, each.edited)
            for amount, each in zip(shares, source, strict=True)
            if amount
        )

    def change(
        self, run: str, key: Key, parts: tuple[Part, ...] | None = None, day: str | None = None
    ) -> bool:
        """Whether anything changed."""
        entry = self.entries[key]
        before = (entry.parts, entry.day)
        after = (entry.parts if parts is None else parts, entry.day if day is None else day)
        if before == after:
            return False
        entry.parts, entry.day = after
        self.runs.setdefault(run, []).append(Change(key, before, after))
        return True

    def redate(self, run: str) -> None:
        for key, entry in self.entries.items():
            if key[1] <= self.done.get(key[0], 0):
                self.change(run, key, day=entry.moment_day[self.zone])

    def undo(self, run: str, by: str) -> list[Key]:
        """The entries that stay, because they were edited later."""
        first: dict[Key, Change] = {}
        last: dict[Key, Change] = {}
        for change in self.runs[run]:
            first.setdefault(change.key, change)
            last[change.key] = change
        kept: list[Key] = []
        for key in sorted(first):
            before, after, entry = first[key].before, last[key].after, self.entries[key]
            parts_changed, day_changed = before[0] != after[0], before[1] != after[1]
            if (parts_changed and entry.parts != after[0]) or (day_changed and entry.day != after[1]):
                kept.append(key)
                continue
            self.change(
                by,
                key,
                before[0] if parts_changed else entry.parts,
                before[1] if day_changed else entry.day,
            )
        return kept

"""The application of rules to the parts of an entry: parts in, parts out, nothing else.

Rules are applied in their order. A rule looks at each part of the entry by itself; its conditions see what earlier rules
have set, and what it sets overwrites theirs. A rule that stops, and whose conditions held for a part, ends the entry:
later rules are not applied to it.

- Parts that a person edited stay as they are, unless ``overwrite``.
- A side of a pair (``pair_id``) keeps its category and is not split: it is no income and no expense.
- An entry is split while it has one part. One that is split already stays split, so rules can be applied again.
- A part that has as many tags as it may have gets no more.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_FLOOR, Context, Decimal, localcontext
from fractions import Fraction
from math import floor
from typing import Any, Final

from wallet_service.core.conditions import Test, Text

MOST_TAGS: Final = 20
"""Tags of a part."""

UNSET: Final = object()
"""A value that an action leaves as it is."""

Resolve = Callable[[str], str]
"""The label that stands for a label, which may have been merged into it."""

EXACT: Final = Context(prec=120)
"""Amounts have up to 38 digits, and shares of them are products of two."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an entry.

    Attributes:
        amount: signed: credits are positive.
        category_id: what it was for.
        payee_id: who was paid, or who paid.
        tag_ids: its tags, sorted.
        note: of the owner of the book.
        booked_on: its day in the book.
        payment_method_id: rules leave it as it is.
        pair_id: the pair whose side it is; None: it is in none.
        rule_id: the rule that last changed it; None: none did.
        edited: whether a person set it.
    """

    amount: Decimal
    category_id: str
    payee_id: str | None = None
    tag_ids: tuple[str, ...] = ()
    note: str | None = None
    booked_on: date = date.min
    payment_method_id: str | None = None
    pair_id: str | None = None
    rule_id: str | None = None
    edited: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What an action sets of a part; what is ``UNSET`` stays."""

    category_id: Any = UNSET
    payee_id: Any = UNSET
    note: Any = UNSET
    add_tag_ids: Sequence[str] = ()
    remove_tag_ids: Sequence[str] = ()

    def apply(self, part: Part, resolve: Resolve) -> Part:
        """The part with what this sets. A label that stands for the one that it sets stays."""
        keeps_category = part.pair_id is not None
        return replace(
            part,
            category_id=part.category_id
            if keeps_category
            else _replaced(part.category_id, self.category_id, resolve),
            payee_id=_replaced(part.payee_id, self.payee_id, resolve),
            note=part.note if self.note is UNSET else self.note,
            tag_ids=self._tags_of(part, resolve),
        )

    def _tags_of(self, part: Part, resolve: Resolve) -> tuple[str, ...]:
        if not self.add_tag_ids and not self.remove_tag_ids:
            return part.tag_ids
        removed = {resolve(each) for each in self.remove_tag_ids}
        kept = {resolve(each): each for each in part.tag_ids if resolve(each) not in removed}
        for each in self.add_tag_ids:
            if len(kept) < MOST_TAGS:
                kept.setdefault(resolve(each), each)
        return tuple(sorted(kept.values()))


def _replaced(old: str | None, new: Any, resolve: Resolve) -> Any:
    if new is UNSET or (old is not None and new is not None and resolve(old) == resolve(new)):
        return old
    return new


@dataclass(frozen=True, slots=True)
class Share:
    """A part that a split makes: of ``percent`` of the whole, of ``amount``, or with neither of what remains."""

    setting: Setting
    percent: Decimal | None = None
    amount: Decimal | None = None

    @property
    def takes_rest(self) -> bool:
        """Whether it is what remains of the others."""
        return self.percent is None and self.amount is None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that can be applied. Its shares are a whole: percents of 100, or one takes the rest.

    Attributes:
        rule_id: its id; None: it is not stored.
        test: whether its conditions hold for the facts of a part.
        setting: what it sets of a part.
        shares: into what it splits an entry; none: it does not.
        stop: whether it ends the entry.
    """

    rule_id: str | None
    test: Test
    setting: Setting = field(default_factory=Setting)
    shares: Sequence[Share] = ()
    stop: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger says of the entry whose parts are changed.

    Attributes:
        facts: those of the entry that conditions name, the same for all its parts.
        exponent: digits after the point that its currency has.
        parts: now.
    """

    facts: Mapping[str, Any]
    exponent: int
    parts: Sequence[Part]


def apply_rules(
    rules: Sequence[Rule], entry: Entry, resolve: Resolve, *, overwrite: bool = False
) -> Sequence[Part] | None:
    """The parts of an entry after the rules; None: they are as they were.

    Args:
        rules: in their order.
        entry: with its parts.
        resolve: the label that stands for a label, which may have been merged.
        overwrite: whether parts that a person edited are changed, too.
    """
    parts = list(entry.parts)
    facts = [facts_of(entry, part, resolve) for part in parts]
    open_places = [n for n, part in enumerate(parts) if overwrite or not part.edited]
    for rule in rules:
        held = [n for n in open_places if rule.test(facts[n])]
        if not held:
            continue
        if rule.shares and len(parts) == 1 and parts[0].pair_id is None:
            whole = rule.setting.apply(parts[0], resolve)
            changed = split_part(whole, rule.shares, entry.exponent, resolve) or [whole]
            if changed != parts:
                parts = [_marked(each, rule) for each in changed]
                facts = [facts_of(entry, part, resolve) for part in parts]
                open_places = list(range(len(parts)))
        else:
            for n in held:
                changed = rule.setting.apply(parts[n], resolve)
                if changed != parts[n]:
                    parts[n] = _marked(changed, rule)
                    facts[n] = facts_of(entry, parts[n], resolve)
        if rule.stop:
            break
    return None if _same(parts, entry.parts) else parts


def _marked(part: Part, rule: Rule) -> Part:
    return replace(part, rule_id=rule.rule_id, edited=False)


def split_part(part: Part, shares: Sequence[Share], exponent: int, resolve: Resolve) -> list[Part] | None:
    """The parts that a split makes of one, which add up to it, without those of no amount.

    None: its amounts are more than the whole, or have more digits than the currency.
    """
    whole = part.amount.copy_abs()
    with localcontext(EXACT):
        given = [share.amount or Decimal(0) for share in shares]
        amounts = [each.quantize(Decimal(1).scaleb(-exponent), ROUND_FLOOR) for each in given]
        if amounts != given:
            return None
        left = whole - sum(amounts)
        weights = [whole * (share.percent or 0) / 100 for share in shares]
        rest = left - sum(weights)
        if rest < 0:
            return None
        if rest:
            weights[next(n for n, share in enumerate(shares) if share.takes_rest)] = rest
        amounts = [sum(each) for each in zip(amounts, pro_rata(left, weights, exponent), strict=True)]
    return [
        replace(share.setting.apply(part, resolve), amount=Decimal(amount).copy_sign(part.amount))
        for share, amount in zip(shares, amounts, strict=True)
        if amount
    ]


def pro_rata(total: Decimal, weights: Sequence[Decimal], exponent: int) -> list[Decimal]:
    """A total that is not negative over weights: each rounded down, what is left over by the largest remainder.

    Of equal remainders the earlier one gets it. The result adds up to the total; a weight of 0 gets nothing.
    """
    every = sum(weights)
    if not every:
        return [Decimal(0) for _ in weights]
    units = int(total.scaleb(exponent, EXACT))
    exact = [units * Fraction(weight) / Fraction(every) for weight in weights]
    floors = [floor(each) for each in exact]
    by_remainder = sorted(range(len(exact)), key=lambda place: floors[place] - exact[place])
    for place in by_remainder[: units - sum(floors)]:
        floors[place] += 1
    return [Decimal(each).scaleb(-exponent, EXACT) for each in floors]


def facts_of(entry: Entry, part: Part, resolve: Resolve) -> dict[str, Any]:
    """What conditions see of a part."""
    return {
        **entry.facts,
        "amount": part.amount.copy_abs(),
        "category_id": resolve(part.category_id),
        "payee_id": part.payee_id and resolve(part.payee_id),
        "tag_ids": frozenset(map(resolve, part.tag_ids)),
        "note": Text(part.note),
        "booked_on": part.booked_on,
    }


def _same(parts: Sequence[Part], before: Sequence[Part]) -> bool:
    """Whether nothing is changed but which rule set it."""
    return len(parts) == len(before) and all(
        new == replace(old, rule_id=new.rule_id) for new, old in zip(parts, before, strict=True)
    )

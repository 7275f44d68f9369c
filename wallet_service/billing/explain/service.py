"""The billing summary, from the lines of the database."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple

from wallet_service.billing.explain.schemas import (
    AccountSum,
    BillingSummary,
    Consumption,
    CurrencySummary,
    GrantCost,
    SourceSum,
)

_SPENT = ("revenue:", "expense:")
_ZERO = Decimal(0)


class _Entries(NamedTuple):
    """The sum of the entries of one type, direction and counter account."""

    type: str
    direction: str
    account: str
    amount: Decimal


class _Lines:
    """The lines of one currency, and sums of them."""

    def __init__(self, lines: Sequence[Mapping[str, Any]], exponent: int) -> None:
        self._lines = lines
        self._exponent = exponent
        self.entries: list[_Entries] = []
        for line in lines:
            if line["kind"] == "entry":
                kind, direction, account = line["key"].split(" ", 2)
                self.entries.append(_Entries(kind, direction, account, Decimal(line["amount"])))

    def text(self, amount: Decimal) -> str:
        """An amount with the currency's decimals. It has no more of them."""
        return f"{amount:.{self._exponent}f}"

    def total(self, kind: str, cost_currency: str | None = None, member: str = "amount") -> Decimal:
        """The sum of the lines of a kind: all, or of those with a price in a currency."""
        return sum(
            (
                Decimal(line[member] or 0)
                for line in self._lines
                if line["kind"] == kind and cost_currency in (None, line["cost_currency"])
            ),
            _ZERO,
        )

    def of_type(self, kind: str, direction: str) -> Decimal:
        """The sum of the entries of a type in a direction."""
        return sum(
            (each.amount for each in self.entries if (each.type, each.direction) == (kind, direction)), _ZERO
        )

    def sources(self) -> Mapping[str, Decimal]:
        """What was granted, by source."""
        return _summed(
            (line["key"], Decimal(line["amount"])) for line in self._lines if line["kind"] == "granted"
        )

    def accounts(self) -> Mapping[str, Decimal]:
        """What wallets gave to each counter account, as in the trial balance."""
        return _summed(
            (
                "transfers" if each.account == "wallets" else each.account,
                each.amount if each.direction == "debit" else -each.amount,
            )
            for each in self.entries
        )

    def spent(self) -> Sequence[Consumption]:
        """What was spent on each account, and given back."""
        spent = [each for each in self.entries if each.account.startswith(_SPENT)]
        debits = _summed((each.account, each.amount) for each in spent if each.direction == "debit")
        refunds = _summed((each.account, each.amount) for each in spent if each.type == "refund")
        return [
            Consumption(
                counter_account=name,
                consumed=self.text(debits.get(name, _ZERO)),
                refunded=self.text(refunds.get(name, _ZERO)),
            )
            for name in sorted(debits.keys() | refunds.keys())
        ]

    def costs(self, exponents: Mapping[str, int]) -> list[GrantCost]:
        """What grants with a price cost, by its currency: rounded once, half away from zero."""
        names = sorted({line["cost_currency"] for line in self._lines if line["cost_currency"]})

        def money(name: str, kind: str) -> str:
            unit = Decimal(1).scaleb(-exponents[name])
            return f"{self.total(kind, name, 'cost').quantize(unit, ROUND_HALF_UP):f}"

        return [
            GrantCost(
                cost_currency=name,
                used=self.text(self.total("used", name)),
                earned=money(name, "used"),
                expired=self.text(self.total("expired", name)),
                earned_by_expiry=money(name, "expired"),
                outstanding=self.text(self.total("outstanding", name)),
                liability=money(name, "outstanding"),
            )
            for name in names
        ]


def billing_summary(
    start: str | None,
    end: str | None,
    wallets: int,
    lines: Iterable[Mapping[str, Any]],
    exponents: Mapping[str, int],
) -> BillingSummary:
    """The summary of a period.

    Args:
        start: the begin of the period, in it; None: of the ledger.
        end: its end, not in it; None: now.
        wallets: how many wallets there are.
        lines: of ``read_billing_summary``.
        exponents: the decimals of each currency.
    """
    by_currency: dict[str, list[Mapping[str, Any]]] = {}
    for line in lines:
        by_currency.setdefault(line["currency"], []).append(line)
    return BillingSummary.model_validate(
        {
            "from": start,
            "to": end,
            "wallets": wallets,
            "currencies": [
                _of_currency(currency, _Lines(found, exponents[currency]), exponents)
                for currency, found in sorted(by_currency.items())
            ],
        }
    )


def _of_currency(currency: str, lines: _Lines, exponents: Mapping[str, int]) -> CurrencySummary:
    text, sources = lines.text, lines.sources()
    spent = [each for each in lines.entries if each.account.startswith(_SPENT)]
    closing, outstanding = lines.total("closing"), lines.total("outstanding")
    return CurrencySummary(
        currency=currency,
        opening_balance=text(lines.total("opening")),
        closing_balance=text(closing),
        granted=text(lines.total("granted")),
        granted_by_source=[
            SourceSum(source=name, amount=text(value)) for name, value in sorted(sources.items())
        ],
        purchased=text(sources.get("purchase", _ZERO)),
        deposited=text(lines.of_type("deposit", "credit")),
        consumed=text(sum((each.amount for each in spent if each.direction == "debit"), _ZERO)),
        refunded=text(sum((each.amount for each in spent if each.type == "refund"), _ZERO)),
        consumption=list(lines.spent()),
        expired=text(lines.of_type("grant_expiry", "debit")),
        voided=text(lines.total("voided")),
        outstanding_granted=text(outstanding),
        outstanding_not_granted=text(closing - outstanding),
        costs=lines.costs(exponents),
        accounts=[
            AccountSum(account=name, amount=text(value)) for name, value in sorted(lines.accounts().items())
        ],
    )


def _summed(pairs: Iterable[tuple[str, Decimal]]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for name, value in pairs:
        found[name] = found.get(name, _ZERO) + value
    return found

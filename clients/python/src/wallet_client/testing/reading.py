"""What is read of the ledger: pages of its rows, balances of the past, sums."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby, pairwise
from typing import Any

from wallet_client.testing.currencies import Currency
from wallet_client.testing.problems import Refusal, invalid_for_the_ledger
from wallet_client.testing.store import Row, Store, Wallet
from wallet_client.testing.values import dumps, moment_text, text_of

MOST_STEPS = 366


def balance(store: Store, wallet: Wallet, at: str | None) -> dict[str, Any]:
    """A wallet's balance, now or at a past moment.

    Raises:
        Refusal: the moment is not past.
    """
    held: dict[str, Any]
    if at is None:
        version = len(wallet.rows)
        held = {
            "balance": wallet.text(wallet.balance),
            "locked_balance": wallet.text(0),
            "available_balance": wallet.text(wallet.balance),
            "credit_limit": wallet.text(wallet.credit_limit),
        }
    else:
        if at >= store.now():
            raise invalid_for_the_ledger("query", "/at", "must be in the past")
        version = sum(row.created_at <= at for row in wallet.rows)
        held = {
            "balance": wallet.text(_balance_of(wallet, version)),
            "locked_balance": None,
            "available_balance": None,
            "credit_limit": None,
        }
    named = {"wallet_id": wallet.wallet_id, "currency": wallet.currency.code}
    return {**named, **held, "wallet_version": version, "at": at}


def history(wallets: Iterable[Wallet], filters: Mapping[str, Any]) -> list[Row]:
    """The rows of these wallets that pass the filters, newest first."""
    rows = [row for wallet in wallets for row in wallet.rows if _passes(row, filters)]
    return sorted(rows, key=place_of, reverse=True)


def place_of(row: Row) -> tuple[str, str, int]:
    """Where the row stands in a history."""
    return row.created_at, row.wallet_id, row.wallet_version


def _passes(row: Row, filters: Mapping[str, Any]) -> bool:
    amount = Decimal(text_of(abs(row.signed), row.currency.exponent))
    return (
        filters.get("type", row.transaction_type) == row.transaction_type
        and filters.get("from", "") <= row.created_at
        and row.created_at < filters.get("to", "~")
        and Decimal(filters.get("min_amount", "0")) <= amount
        and amount <= Decimal(filters.get("max_amount", "Infinity"))
        and filters.get("reference", row.reference) == row.reference
        and filters.get("counter_account", row.counter_account) == row.counter_account
        and all(_member_text(row.metadata.get(name)) == text for name, text in filters.get("metadata", ()))
    )


def _member_text(value: Any) -> str | None:
    return value if isinstance(value, str | None) else dumps(value)


# Sums


def statistics(store: Store, wallets: Sequence[Wallet], period: Mapping[str, str]) -> dict[str, Any]:
    """What happened to these wallets in a period, by currency, and with an interval step by step.

    Raises:
        Refusal: there is no such period.
    """
    start, end, interval = period.get("from"), period.get("to"), period.get("interval")
    bounds = _bounds(start, end, interval, store.now())
    currencies: list[dict[str, Any]] = []
    ordered = sorted(wallets, key=lambda wallet: wallet.currency.code)
    for currency, group in groupby(ordered, key=lambda wallet: wallet.currency):
        rows = [row for wallet in group for row in wallet.rows]
        flow = _flow(currency, rows, start or "", end or "~")
        steps: list[dict[str, Any]] | None = None
        if interval is not None:
            steps = [
                {"from": one, "to": other, **_flow(currency, rows, one or "", other or "~")}
                for one, other in pairwise(bounds)
            ]
        within = [row for row in rows if (start or "") <= row.created_at < (end or "~")]
        accounts = _totals(currency, within, "counter_account", lambda row: row.counter_group)
        currencies.append({"currency": currency.code, **flow, "by_counter_account": accounts, "steps": steps})
    return {"from": start, "to": end, "interval": interval, "currencies": currencies}


def service_statistics(store: Store) -> dict[str, Any]:
    """The service at a glance."""
    wallets = sorted(store.wallets.values(), key=lambda wallet: wallet.currency.code)
    currencies: list[dict[str, Any]] = []
    for currency, group in groupby(wallets, key=lambda wallet: wallet.currency):
        held = list(group)
        counted = {
            status: sum(wallet.status == status for wallet in held)
            for status in ("active", "frozen", "closed")
        }
        currencies.append(
            {
                "currency": currency.code,
                "wallets": len(held),
                **counted,
                "balance": text_of(sum(wallet.balance for wallet in held), currency.exponent),
                "locked_balance": text_of(0, currency.exponent),
                "ledger_entries": sum(len(wallet.rows) for wallet in held),
            }
        )
    entries = sum(len(wallet.rows) for wallet in wallets)
    return {
        "at": store.now(),
        "wallets": len(wallets),
        "ledger_entries": entries,
        "currencies": currencies,
    }


def trial_balance(store: Store) -> dict[str, Any]:
    """Per currency what the wallets hold and what came from each counter account: it sums to zero."""
    lines: dict[Currency, dict[str, int]] = {}
    for wallet in store.wallets.values():
        of_currency = lines.setdefault(wallet.currency, {})
        of_currency["wallets"] = of_currency.get("wallets", 0) + wallet.balance
        for row in wallet.rows:
            account = "transfers" if row.counter_group == "wallets" else row.counter_account
            of_currency[account] = of_currency.get(account, 0) - row.signed
    return {
        "wallets": len(store.wallets),
        "currencies": [
            {
                "currency": currency.code,
                "lines": [
                    {"account": account, "balance": text_of(total, currency.exponent)}
                    for account, total in sorted(of_currency.items())
                ],
                "sum": text_of(total, currency.exponent) if (total := sum(of_currency.values())) else "0",
            }
            for currency, of_currency in sorted(lines.items(), key=lambda item: item[0].code)
        ],
    }


def check(store: Store) -> None:
    """Raise AssertionError unless every balance is the sum of its rows, and every currency sums to zero."""
    for wallet in store.wallets.values():
        reached = 0
        for version, row in enumerate(wallet.rows, 1):
            reached += row.signed
            _must((row.wallet_version, row.balance_after) == (version, reached), f"row {row}")
            _must(row in store.postings[row.transaction_id], f"no posting has the row {row}")
        _must(wallet.balance == reached, f"{wallet.wallet_id} holds {wallet.balance}, its rows {reached}")
    for rows in store.postings.values():
        _must(len(rows) == 1 or sum(row.signed for row in rows) == 0, f"legs {rows}")
        for row in rows:
            place = row.wallet_version - 1
            _must(store.wallets[row.wallet_id].rows[place : place + 1] == [row], f"no wallet has {row}")
    _must(all(each["sum"] == "0" for each in trial_balance(store)["currencies"]), "the trial balance")


def _must(fact: bool, found: str) -> None:
    if not fact:
        raise AssertionError(f"FakeWallet's books are wrong: {found}")


def _balance_of(wallet: Wallet, version: int) -> int:
    return wallet.rows[version - 1].balance_after if version else 0


def _flow(currency: Currency, rows: Sequence[Row], start: str, end: str) -> dict[str, Any]:
    within = [row for row in rows if start <= row.created_at < end]
    opening = sum(row.signed for row in rows if row.created_at < start)
    change = sum(row.signed for row in within)
    credited = sum(row.signed for row in within if row.signed > 0)
    exponent = currency.exponent
    return {
        "opening_balance": text_of(opening, exponent),
        "closing_balance": text_of(opening + change, exponent),
        "credited": text_of(credited, exponent),
        "debited": text_of(credited - change, exponent),
        "transactions": len(within),
        "by_type": _totals(currency, within, "transaction_type", lambda row: row.transaction_type),
    }


def _totals(
    currency: Currency, rows: Iterable[Row], name: str, group_of: Callable[[Row], str]
) -> list[dict[str, Any]]:
    amounts: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        amounts.setdefault((group_of(row), row.direction), []).append(abs(row.signed))
    return [
        {
            name: group,
            "direction": direction,
            "transactions": len(moved),
            "amount": text_of(sum(moved), currency.exponent),
        }
        for (group, direction), moved in sorted(amounts.items())
    ]


def _bounds(start: str | None, end: str | None, interval: str | None, now: str) -> list[str | None]:
    """Where the period begins, is divided, and ends; None where it is open."""
    if start is not None and end is not None and start >= end:
        raise invalid_for_the_ledger("query", "/to", "must be later than from")
    if interval is None:
        return [start, end]
    if start is None:
        raise invalid_for_the_ledger("query", "/from", "must be given with an interval")
    inner: list[str | None] = []
    moment = _next_step(_truncated(datetime.fromisoformat(start), interval), interval)
    while moment is not None and moment_text(moment) < (end or now):
        inner.append(moment_text(moment))
        if len(inner) >= MOST_STEPS:
            raise _too_many_steps()
        moment = _next_step(moment, interval)
    return [start, *inner, end]


def _too_many_steps() -> Refusal:
    return invalid_for_the_ledger("query", "/interval", "divides the period into more than 366 steps")


def _truncated(moment: datetime, interval: str) -> datetime:
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if interval == "day" else day.replace(day=1)


def _next_step(moment: datetime, interval: str) -> datetime | None:
    try:
        if interval == "day":
            return moment + timedelta(days=1)
        return (moment + timedelta(days=31)).replace(day=1)
    except OverflowError:  # after the year 9999
        return None

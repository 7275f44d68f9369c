"""The expected responses of the reading paths, from the state of ``support.oracle``."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from support.expectations import Document, amount_text
from support.oracle import EXPONENTS, Oracle, Wallet


def balance(oracle: Oracle, wallet_id: str) -> Document:
    """GET /wallets/{id}/balance."""
    account = oracle.model.accounts[wallet_id]
    now = amount_text(account.balance, account.exponent)
    return {
        "wallet_id": wallet_id,
        "currency": account.currency,
        "balance": now,
        "locked_balance": amount_text(Decimal(0), account.exponent),
        "available_balance": now,
        "credit_limit": amount_text(account.credit_limit, account.exponent),
        "wallet_version": account.version,
        "at": None,
    }


def balance_at(oracle: Oracle, wallet_id: str, moment: str, by: str = "created_at") -> Document:
    """GET /wallets/{id}/balance?at=moment; ``by``: the moment of an entry that counts."""
    wallet = oracle.wallets[wallet_id]
    version = wallet.at(moment)
    reached = sum((_signed(entry) for entry in wallet.entries if entry[by] <= moment), Decimal(0))
    return {
        "wallet_id": wallet_id,
        "currency": wallet.currency,
        "balance": amount_text(reached, EXPONENTS[wallet.currency]),
        "locked_balance": None,
        "available_balance": None,
        "credit_limit": None,
        "wallet_version": version,
        "at": moment,
    }


def entries(
    oracle: Oracle, *, wallet_id: str | None = None, user_id: str | None = None, by: str = "created_at"
) -> list[Document]:
    """A history, newest first."""
    found = [
        entry
        for wallet in oracle.wallets.values()
        if wallet_id in (None, wallet.wallet_id) and user_id in (None, wallet.user_id)
        for entry in wallet.entries
    ]
    place = (by, "wallet_id", "wallet_version")
    return sorted(found, key=lambda entry: [entry[name] for name in place], reverse=True)


def passes(entry: Document, filters: Mapping[str, str]) -> bool:
    """Whether a history with these filters shows the row."""
    amount = Decimal(entry["amount"])
    return (
        filters.get("type", entry["transaction_type"]) == entry["transaction_type"]
        and filters.get("reference", entry["reference"]) == entry["reference"]
        and filters.get("counter_account", entry["counter_account"]) == entry["counter_account"]
        and Decimal(filters.get("min_amount", "0"))
        <= amount
        <= Decimal(filters.get("max_amount", "Infinity"))
    )


def statistics(
    oracle: Oracle, wallets: Iterable[str], period: Mapping[str, str], by: str = "created_at"
) -> list[Document]:
    """The member ``currencies`` of statistics: what happened to these wallets in the period."""
    by_currency: dict[str, list[Wallet]] = {}
    for wallet_id in wallets:
        wallet = oracle.wallets[wallet_id]
        by_currency.setdefault(wallet.currency, []).append(wallet)
    return [
        _flow(currency, group, period.get("from", ""), period.get("to", "~"), by)
        for currency, group in sorted(by_currency.items())
    ]


def trial_balance(oracle: Oracle) -> Document:
    """GET /ledger/trial-balance."""
    lines: dict[tuple[str, str], Decimal] = {}
    for wallet_id, wallet in oracle.wallets.items():
        kept = "mirrored:" if wallet.keeping == "mirrored" else ""
        held = (wallet.currency, f"{kept}wallets")
        lines[held] = lines.get(held, Decimal(0)) + oracle.model.accounts[wallet_id].balance
        for entry in wallet.entries:
            counter = entry["counter_account"]
            line = (wallet.currency, f"{kept}transfers" if counter.startswith("wallet:") else counter)
            lines[line] = lines.get(line, Decimal(0)) - _signed(entry)
    return {
        "wallets": len(oracle.wallets),
        "currencies": [
            {
                "currency": currency,
                "lines": [
                    {"account": account, "balance": amount_text(total, EXPONENTS[currency])}
                    for (of, account), total in sorted(lines.items())
                    if of == currency
                ],
                "sum": "0",
            }
            for currency in sorted({of for of, _ in lines})
        ],
    }


def _flow(currency: str, wallets: Sequence[Wallet], start: str, end: str, by: str) -> Document:
    exponent = EXPONENTS[currency]
    before = [entry for wallet in wallets for entry in wallet.entries if entry[by] < start]
    within = [entry for wallet in wallets for entry in wallet.entries if start <= entry[by] < end]
    opening, change = (sum(map(_signed, part), Decimal(0)) for part in (before, within))
    credited = sum((_signed(entry) for entry in within if entry["direction"] == "credit"), Decimal(0))

    def totals(name: str) -> list[Document]:
        grouped: dict[tuple[str, str], list[Decimal]] = {}
        for entry in within:
            group = "wallets" if entry[name].startswith("wallet:") else entry[name]
            grouped.setdefault((group, entry["direction"]), []).append(Decimal(entry["amount"]))
        return [
            {
                name: group,
                "direction": direction,
                "transactions": len(amounts),
                "amount": amount_text(sum(amounts), exponent),
            }
            for (group, direction), amounts in sorted(grouped.items())
        ]

    return {
        "currency": currency,
        "opening_balance": amount_text(opening, exponent),
        "closing_balance": amount_text(opening + change, exponent),
        "credited": amount_text(credited, exponent),
        "debited": amount_text(credited - change, exponent),
        "transactions": len(within),
        "by_type": totals("transaction_type"),
        "by_counter_account": totals("counter_account"),
        "steps": None,
    }


def _signed(entry: Mapping[str, Any]) -> Decimal:
    amount = Decimal(entry["amount"])
    return amount if entry["direction"] == "credit" else -amount

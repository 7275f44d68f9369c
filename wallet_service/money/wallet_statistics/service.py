"""Builds the trial balance."""

from collections.abc import Mapping
from decimal import Decimal
from itertools import groupby
from operator import itemgetter

from wallet_service.money.wallet_statistics.schemas import (
    TrialBalance,
    TrialBalanceCurrency,
    TrialBalanceLine,
)


def trial_balance(wallets: int, balances: Mapping[tuple[str, str], Decimal]) -> TrialBalance:
    """The trial balance from the sums by currency and account. Each currency's sum is "0" in a ledger that balances."""
    currencies: list[TrialBalanceCurrency] = []
    for currency, group in groupby(sorted(balances.items()), key=lambda item: item[0][0]):
        lines = list(group)
        total = sum(map(itemgetter(1), lines), Decimal(0))
        currencies.append(
            TrialBalanceCurrency(
                currency=currency,
                lines=[TrialBalanceLine(account=key[1], balance=format(value, "f")) for key, value in lines],
                sum=format(total, "f") if total else "0",
            )
        )
    return TrialBalance(wallets=wallets, currencies=currencies)

"""The types of operations, and the directions of entries."""

from collections.abc import Mapping
from typing import Literal

TransactionType = Literal["deposit", "withdraw", "consume", "transfer", "reward", "fee", "refund"]
Direction = Literal["credit", "debit"]

DEFAULT_COUNTER_ACCOUNTS: Mapping[TransactionType, str] = {
    "deposit": "external:deposits",
    "withdraw": "external:withdrawals",
    "consume": "revenue:usage",
    "reward": "promotions",
    "fee": "revenue:fees",
}
"""The counter accounts of operations that name none, as in ``wallet.default_counter_account``."""

"""The types of operations, and the directions of entries."""

from typing import Literal

TransactionType = Literal["deposit", "withdraw", "consume", "transfer", "reward", "fee", "refund"]
Direction = Literal["credit", "debit"]

"""The list of rooms, from the lowest to the highest. A new room adds its line here and changes nothing else.

A room may import only rooms above its line. They are opened in this order and closed in reverse.
"""

from importlib import import_module
from typing import Final

from wallet_service.core.room import Room

PACKAGES: Final = (
    "platform.telemetry",
    "platform.embedded_postgres",
    "platform.database",
    "platform.changes",
    "platform.rate_limits",
    "platform.auth",
    "platform.web",
    "platform.jobs",
    "platform.http_server",
    "platform.test_clock",
    "platform.consul",
    "platform.upstreams",
    "platform.membership",
    "platform.vault",
    "platform.files",
    "ledger",
    "money.wallets",
    "money.transactions",
    "money.statements",
    "money.wallet_statistics",
    "money.credits",
    "money.opening_balances",
    "billing.grants",
    "billing.holds",
    "billing.spending_limits",
    "billing.alerts",
    "billing.top_ups",
    "billing.rates",
    "billing.explain",
    "finance.books",
    "finance.labels",
    "finance.fx",
    "finance.parts",
    "finance.rules",
    "finance.budgets",
    "delivery.events",
    "delivery.audit",
    "delivery.webhooks",
    "runtime",
)

ROOMS: tuple[Room, ...] = tuple(import_module(f"wallet_service.{package}.room").ROOM for package in PACKAGES)

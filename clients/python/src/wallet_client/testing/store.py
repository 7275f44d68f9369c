"""What FakeWallet keeps: wallets, ledger rows, keys; and what becomes of the wallets themselves."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from wallet_client.testing.currencies import CURRENCIES, Currency
from wallet_client.testing.problems import Refusal, invalid_for_the_ledger
from wallet_client.testing.values import dumps, in_order, moment_text, same_json, text_of, trimmed, units_of

MOST_METADATA_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """A ledger row: what a posting did to one wallet. ``signed`` is positive for a credit."""

    transaction_id: str
    leg: int
    transaction_type: str
    wallet_id: str
    user_id: str
    currency: Currency
    signed: int
    balance_after: int
    wallet_version: int
    counter_account: str
    original_transaction_id: str | None
    client_id: str
    reference: str | None
    description: str | None
    metadata: Mapping[str, Any]
    effective_at: str
    created_at: str

    @property
    def direction(self) -> str:
        """``credit`` or ``debit``."""
        return "credit" if self.signed > 0 else "debit"

    @property
    def counter_group(self) -> str:
        """The counter account of sums: transfers between wallets are one."""
        return "wallets" if self.counter_account.startswith("wallet:") else self.counter_account

    def document(self, viewer: str | None = None) -> dict[str, Any]:
        """The row as a service sees it, or this user: of another's wallet neither balances nor owner."""
        exponent = self.currency.exponent
        shown = viewer in (None, self.user_id)
        its_maker = viewer is None or not self.client_id.startswith("user:")
        return {
            "transaction_id": self.transaction_id,
            "leg": self.leg,
            "transaction_type": self.transaction_type,
            "wallet_id": self.wallet_id,
            "user_id": self.user_id if shown else None,
            "currency": self.currency.code,
            "direction": self.direction,
            "amount": text_of(abs(self.signed), exponent),
            "balance_before": text_of(self.balance_after - self.signed, exponent) if shown else None,
            "balance_after": text_of(self.balance_after, exponent) if shown else None,
            "wallet_version": self.wallet_version if shown else None,
            "counter_account": self.counter_account,
            "original_transaction_id": self.original_transaction_id,
            "client_id": self.client_id if its_maker or self._made_by(viewer) else None,
            "reference": self.reference,
            "description": self.description,
            "metadata": self.metadata,
            "effective_at": self.effective_at,
            "created_at": self.created_at,
        }

    def _made_by(self, user_id: str | None) -> bool:
        return self.client_id.partition("|")[2] == user_id


@dataclass(slots=True)
class Wallet:
    """A wallet as it is now, with its ledger rows."""

    wallet_id: str
    user_id: str
    organization_id: str | None
    name: str
    wallet_type: str
    currency: Currency
    network: str | None
    address: str | None
    credit_limit: int
    is_primary: bool
    metadata: dict[str, Any]
    created_at: str
    updated_at: str
    status: str = "active"
    version: int = 1
    balance: int = 0
    rows: list[Row] = field(default_factory=list[Row])

    @property
    def last_posted_at(self) -> str:
        """When its newest row was posted; "" without one, which is before any moment."""
        return self.rows[-1].created_at if self.rows else ""

    def text(self, units: int) -> str:
        """An amount in its currency."""
        return text_of(units, self.currency.exponent)

    def document(self) -> dict[str, Any]:
        """The wallet as callers see it."""
        return {
            "wallet_id": self.wallet_id,
            "user_id": self.user_id,
            "organization_id": self.organization_id,
            "name": self.name,
            "wallet_type": self.wallet_type,
            "currency": self.currency.code,
            "network": self.network,
            "address": self.address,
            "balance": self.text(self.balance),
            "locked_balance": self.text(0),
            "available_balance": self.text(self.balance),
            "credit_limit": self.text(self.credit_limit),
            "status": self.status,
            "is_primary": self.is_primary,
            "version": self.version,
            "last_entry": len(self.rows),
            "metadata": self.metadata,
            "created_at": self.created_at,
            "updated_at": max(self.updated_at, self.last_posted_at),
        }


@dataclass(frozen=True, slots=True)
class Spent:
    """What an idempotency key was spent on.

    Attributes:
        request: what was asked, as text.
        transaction_id: what was posted; None for a wallet that was made.
        wallet: the wallet as it was first answered.
    """

    request: str
    transaction_id: str | None = None
    wallet: Mapping[str, Any] | None = None


class Store:
    """Everything there is. Nothing here waits or locks: who calls it holds FakeWallet's lock."""

    def __init__(self, clock: Callable[[], datetime], client_id: str) -> None:
        self.clock = clock
        self.client_id = client_id  # of services
        self.wallets: dict[str, Wallet] = {}
        self.postings: dict[str, tuple[Row, ...]] = {}
        self.refunded: dict[str, int] = {}
        self.keys: dict[tuple[str, str], Spent] = {}  # by client and key
        self._last_ms = 0
        self._made = 0

    def now(self) -> str:
        """The moment that the clock shows."""
        return moment_text(self.clock())

    def new_id(self) -> str:
        """A UUIDv7; later ones are larger, also when the clock stands still."""
        self._last_ms = max(self._last_ms, int(self.clock().timestamp() * 1000))
        self._made += 1
        high = self._last_ms << 16 | 0x7000 | self._made >> 20 & 0xFFF
        low = 2 << 62 | (self._made & 0xFFFFF) << 42 | secrets.randbits(42)
        return str(UUID(int=high << 64 | low))

    def wallet(self, wallet_id: str, viewer: str | None = None) -> Wallet:
        """The wallet with this id, which a user sees only if it is theirs.

        Raises:
            Refusal: ``wallet_not_found``.
        """
        found = self.wallets.get(wallet_id)
        if found is None or viewer not in (None, found.user_id):
            raise Refusal("wallet_not_found", wallet_id=wallet_id)
        return found

    def of_user(self, user_id: str) -> list[Wallet]:
        """A user's wallets, oldest first."""
        return [wallet for wallet in self.wallets.values() if wallet.user_id == user_id]

    def open_wallet(self, wanted: Mapping[str, Any]) -> Wallet:
        """Make a wallet of what a request names, without its opening balance.

        Raises:
            Refusal: ``currency_unknown``, ``amount_precision``, ``wallet_exists``.
        """
        currency = CURRENCIES.get(wanted["currency"])
        if currency is None:
            raise Refusal("currency_unknown", currency=wanted["currency"])
        limit = units_of(wanted.get("credit_limit", "0"), currency.code, currency.exponent)
        user_id = wanted["user_id"]
        self._refuse_second(user_id, wanted["wallet_type"], currency, wanted["name"])
        now = self.now()
        wallet = Wallet(
            wallet_id=self.new_id(),
            user_id=user_id,
            organization_id=wanted.get("organization_id"),
            name=wanted["name"],
            wallet_type=wanted["wallet_type"],
            currency=currency,
            network=wanted.get("network"),
            address=wanted.get("address"),
            credit_limit=limit,
            is_primary=not self._primaries(user_id, currency),
            metadata=in_order(wanted.get("metadata", {})),
            created_at=now,
            updated_at=now,
        )
        self.wallets[wallet.wallet_id] = wallet
        return wallet

    def spent_on(self, client_id: str, key: str | None) -> Spent | None:
        """What a client's key was spent on."""
        return None if key is None else self.keys.get((client_id, key))

    def credits_wallet(self, user_id: str, spent: Spent | None = None) -> Wallet:
        """The wallet in which a user's credits are, made when there is none.

        Where the request's key was spent on the user's credits before, the wallet that it was spent on.
        """
        if spent is not None and spent.transaction_id is not None:
            first = self.postings[spent.transaction_id][0]
            if (first.user_id, first.currency.code) == (user_id, "CREDIT"):
                return self.wallets[first.wallet_id]
        found = [
            wallet
            for wallet in self.of_user(user_id)
            if wallet.currency.code == "CREDIT" and wallet.status != "closed"
        ]
        if found:
            return min(found, key=lambda wallet: (not wallet.is_primary, wallet.wallet_id))
        return self.open_wallet(
            {"user_id": user_id, "wallet_type": "fiat", "currency": "CREDIT", "name": "main"}
        )

    def update(
        self, wallet_id: str, viewer: str | None, version: int | None, changes: Mapping[str, Any]
    ) -> Wallet:
        """Apply a merge patch.

        Raises:
            Refusal: the wallet does not take it.
        """
        wallet = self._changeable(wallet_id, viewer, version)
        limit = wallet.credit_limit
        if "credit_limit" in changes:
            limit = units_of(changes["credit_limit"], wallet.currency.code, wallet.currency.exponent)
        patch: Any = changes.get("metadata", {})
        metadata: dict[str, Any] = {} if patch is None else in_order(_merged(wallet.metadata, patch))
        if len(dumps(metadata).encode()) > MOST_METADATA_BYTES:
            raise invalid_for_the_ledger("body", "/metadata", "must be at most 16 KiB when merged")
        if wallet.balance < -limit:
            raise Refusal("credit_limit_in_use", wallet_id=wallet_id)
        name = changes.get("name", wallet.name)
        self._refuse_second(wallet.user_id, wallet.wallet_type, wallet.currency, name, but=wallet)
        status = changes.get("status", wallet.status)
        is_primary = changes.get("is_primary", wallet.is_primary)
        now_it_is = (wallet.name, wallet.status, wallet.is_primary, wallet.credit_limit)
        if now_it_is == (name, status, is_primary, limit) and same_json(wallet.metadata, metadata):
            return wallet
        if is_primary and not wallet.is_primary:
            for other in self._primaries(wallet.user_id, wallet.currency):
                other.is_primary = False
                self._changed(other)
        wallet.name, wallet.status, wallet.is_primary = name, status, is_primary
        wallet.credit_limit, wallet.metadata = limit, metadata
        return self._changed(wallet)

    def close(self, wallet_id: str, viewer: str | None, version: int | None) -> Wallet:
        """Close an empty wallet.

        Raises:
            Refusal: the wallet can't be closed.
        """
        wallet = self._changeable(wallet_id, viewer, version)
        if wallet.status == "frozen" and viewer is not None:
            raise Refusal("wallet_frozen", wallet_id=wallet_id)
        if wallet.balance != 0:
            raise Refusal("wallet_not_empty", wallet_id=wallet_id)
        wallet.status, wallet.is_primary = "closed", False
        return self._changed(wallet)

    def _changeable(self, wallet_id: str, viewer: str | None, version: int | None) -> Wallet:
        wallet = self.wallet(wallet_id, viewer)
        if wallet.status == "closed":
            raise Refusal("wallet_closed", wallet_id=wallet_id)
        if version not in (None, wallet.version):
            raise Refusal("version_mismatch", wallet_id=wallet_id, version=wallet.version)
        return wallet

    def _changed(self, wallet: Wallet) -> Wallet:
        wallet.version += 1
        wallet.updated_at = self.now()
        return wallet

    def _primaries(self, user_id: str, currency: Currency) -> list[Wallet]:
        return [
            wallet for wallet in self.of_user(user_id) if wallet.is_primary and wallet.currency == currency
        ]

    def _refuse_second(
        self, user_id: str, wallet_type: str, currency: Currency, name: str, *, but: Wallet | None = None
    ) -> None:
        for other in self.of_user(user_id):
            its = (other.wallet_type, other.currency, other.name)
            if other is not but and other.status != "closed" and its == (wallet_type, currency, name):
                raise Refusal("wallet_exists", wallet_id=other.wallet_id)


def request_text(members: Mapping[str, Any], *amounts: str) -> str:
    """What a request asks, as text that is the same for the same request."""
    plain = {name: trimmed(value) if name in amounts else value for name, value in members.items()}
    return dumps(in_order(plain))


def rows_document(rows: Sequence[Row], viewer: str | None = None, *, dry_run: bool = False) -> dict[str, Any]:
    """A posting as callers see it: its first leg, for a user that of their own wallet, and all where there are two."""
    first = next((row for row in rows if viewer in (None, row.user_id)), rows[0])
    legs = [row.document(viewer) for row in rows] if len(rows) > 1 else None
    return {**first.document(viewer), "legs": legs, "dry_run": dry_run}


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    changes = cast("dict[str, Any]", patch)
    result = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result

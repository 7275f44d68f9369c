"""The ledger of a FakeWallet: what it keeps, and the rules of wallets. Its caller holds FakeWallet's lock.

Where the service refuses, functions raise Refusal, and nothing is changed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast

from wallet_client.keys import new_key
from wallet_client.testing.fields import MAX_METADATA_BYTES, invalid
from wallet_client.testing.problems import Refusal
from wallet_client.testing.values import EXPONENTS, closest_to, dumps, moment_text, text_of, units_of

Document: TypeAlias = dict[str, Any]
"""A JSON object, as the service returns it."""


@dataclass(eq=False)
class Wallet:
    """A wallet: the members of its document, and its entries from the oldest on."""

    wallet_id: str
    user_id: str
    created_at: str
    updated_at: str
    organization_id: str | None = None
    name: str = "main"
    wallet_type: str = "fiat"
    currency: str = "CREDIT"
    keeping: str = "operating"
    network: str | None = None
    address: str | None = None
    credit_limit: str = "0"
    is_primary: bool = False
    metadata: Document = field(default_factory=Document)
    status: str = "active"
    version: int = 1
    rows: list[Document] = field(default_factory=list[Document])

    @property
    def balance(self) -> int:
        """In the currency's smallest unit."""
        return units_of(self.rows[-1]["balance_after"], self.currency) if self.rows else 0

    @property
    def last_posted_at(self) -> str:
        """When its newest entry was posted; "" without one, which is before every moment."""
        return self.rows[-1]["created_at"] if self.rows else ""

    def document(self) -> Document:
        """The wallet as the service returns it."""
        balance = text_of(self.balance, self.currency)
        return {
            **{name: value for name, value in vars(self).items() if name != "rows"},
            "balance": balance,
            "locked_balance": text_of(0, self.currency),
            "available_balance": balance,
            "credit_limit": text_of(units_of(self.credit_limit, self.currency), self.currency),
            "last_entry": len(self.rows),
            "updated_at": max(self.updated_at, self.last_posted_at),
        }


class Ledger:
    """What a FakeWallet keeps. A posting is a ledger entry, or the two of a transfer."""

    def __init__(self, clock: Callable[[], datetime], client_id: str) -> None:
        self.client_id = client_id
        self.wallets: dict[str, Wallet] = {}
        self.postings: dict[str, list[Document]] = {}
        self.refunded: dict[str, int] = {}  # how much of a posting, in the smallest unit
        self.keys: dict[str, tuple[str, Any]] = {}  # the request, and the result
        self._clock = clock

    def now(self, ahead: timedelta = timedelta(0)) -> str:
        """The present moment, or one so far ahead of it."""
        return moment_text(self._clock() + ahead)

    def wallet(self, wallet_id: str) -> Wallet:
        """The wallet with this id."""
        if wallet_id not in self.wallets:
            raise Refusal("wallet_not_found", wallet_id=wallet_id)
        return self.wallets[wallet_id]

    def wallets_of(self, user_id: str) -> list[Wallet]:
        """A user's wallets in the order of their ids: oldest first."""
        found = [wallet for wallet in self.wallets.values() if wallet.user_id == user_id]
        return sorted(found, key=lambda wallet: wallet.wallet_id)

    def posting(self, transaction_id: str) -> list[Document]:
        """The posting with this id."""
        if transaction_id not in self.postings:
            raise Refusal("transaction_not_found", transaction_id=transaction_id)
        return self.postings[transaction_id]

    def result_of(self, key: str | None, asked: str, is_same: Callable[[Any], bool] = lambda _: False) -> Any:
        """The result of an earlier request with this key; None without one.

        ``is_same``: whether a request that is written otherwise asks for that result.
        """
        earlier, result = self.keys.get(key or "", (asked, None))
        if earlier != asked and not is_same(result):
            raise Refusal("idempotency_key_reused")
        return result

    def create(self, members: Mapping[str, Any], deposit: str) -> Wallet:
        """Create a wallet with these members, to which this amount can be deposited."""
        now = self.now()
        wallet = Wallet(new_key(), created_at=now, updated_at=now, **members)
        if wallet.currency not in EXPONENTS:
            raise Refusal("currency_unknown", currency=wallet.currency, **closest_to(wallet.currency))
        self._check_unique(wallet)
        units_of(deposit, wallet.currency)
        wallet.is_primary = not self._primaries(wallet)
        self.wallets[wallet.wallet_id] = wallet
        return wallet

    def update(self, wallet_id: str, version: int | None, changes: Mapping[str, Any]) -> Wallet:
        """Change a wallet. Its version grows only where something differs."""
        wallet = self._changeable(wallet_id, version)
        changed = replace(wallet, **changes)
        credit_limit = units_of(changed.credit_limit, wallet.currency)
        changed.metadata = _merged(wallet.metadata, changes.get("metadata", {})) or {}
        if len(dumps(changed.metadata).encode()) > MAX_METADATA_BYTES:
            raise invalid("body", {"metadata": "validation_failed"})
        if wallet.balance < -credit_limit:
            raise Refusal("credit_limit_in_use", wallet_id=wallet_id)
        self._check_unique(changed)
        if vars(changed) == vars(wallet):
            return wallet
        for primary in self._primaries(wallet):
            if changed.is_primary and primary is not wallet:
                self._set(primary, is_primary=False)
        return self._set(wallet, **vars(changed))

    def close(self, wallet_id: str, version: int | None) -> Wallet:
        """Close an empty wallet."""
        wallet = self._changeable(wallet_id, version)
        if wallet.balance != 0:
            raise Refusal("wallet_not_empty", wallet_id=wallet.wallet_id)
        return self._set(wallet, status="closed", is_primary=False)

    def _changeable(self, wallet_id: str, version: int | None) -> Wallet:
        wallet = self.wallet(wallet_id)
        if wallet.status == "closed":
            raise Refusal("wallet_closed", wallet_id=wallet_id)
        if version not in (None, wallet.version):
            raise Refusal("version_mismatch", wallet_id=wallet_id, version=wallet.version)
        return wallet

    def _set(self, wallet: Wallet, **members: Any) -> Wallet:
        vars(wallet).update(members | {"version": wallet.version + 1, "updated_at": self.now()})
        return wallet

    def _primaries(self, wallet: Wallet) -> list[Wallet]:
        """The primary wallet of the same user in the same currency, if there is one."""
        mine = self.wallets_of(wallet.user_id)
        return [other for other in mine if other.is_primary and other.currency == wallet.currency]

    def _check_unique(self, wallet: Wallet) -> None:
        """A user has one open wallet of each keeping, type, currency and name."""
        for other in self.wallets_of(wallet.user_id):
            same = all(
                vars(other)[name] == vars(wallet)[name]
                for name in ("keeping", "wallet_type", "currency", "name")
            )
            if same and other.wallet_id != wallet.wallet_id and other.status != "closed":
                raise Refusal("wallet_exists", wallet_id=other.wallet_id)


def _merged(target: Any, patch: Any) -> Any:
    """The JSON merge patch of RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(cast("Document", target)) if isinstance(target, dict) else {}
    for name, value in cast("Document", patch).items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = _merged(result.get(name), value)
    return result

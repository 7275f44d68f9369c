"""The rules for creating and changing wallets: which caller may do what."""

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import partial
from typing import Any

from wallet_service.core.errors import Forbidden, WalletError
from wallet_service.core.identifiers import new_id
from wallet_service.money.permissions import CREDIT_LIMITS_WRITE, DEPOSITS_WRITE
from wallet_service.money.wallets.problems import WalletExists
from wallet_service.money.wallets.repository import WalletRepository
from wallet_service.money.wallets.schemas import WalletCreate, WalletPatch
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.membership.access import Membership
from wallet_service.platform.membership.problems import UserUnknown
from wallet_service.platform.web import etag
from wallet_service.platform.web.created import Created
from wallet_service.platform.web.idempotency import chosen_key
from wallet_service.platform.web.problems import validation_problem

_ETAG = re.compile(r'(?:W/)?"?([0-9]{1,18})(?:\.[0-9]{1,18})?"?', re.ASCII)

_OPERATORS_ONLY = ("credit_limit",)
_OWN_RECORD = ("mirrored", "initial_balance")
"""What a user token may set: the opening balance of a record of the user's own."""
_BELOW_ZERO = {
    "type": "amount_invalid",
    "loc": ("body", "initial_balance"),
    "msg": "only a mirrored wallet can open below zero",
}
_OPENING, _OPENING_RECORD = "external:deposits", "mirrored:opening"
"""The other side of an opening balance: of an operating wallet, and of a mirrored one."""
_REQUEST_ONLY = {"initial_balance", "idempotency_key"}


class WalletService:
    """Checks the caller's rights, then creates or changes a wallet."""

    def __init__(self, repository: WalletRepository, membership: Membership) -> None:
        self._repository = repository
        self._membership = membership

    async def create(self, caller: Principal, request: WalletCreate, header_key: str | None) -> Created:
        """Create a wallet with its opening balance.

        Raises:
            Forbidden: a user token creates a wallet of another user, or sets a balance, credit limit or organization;
                a key lacks the permission for a balance or credit limit, or is restricted.
            UserUnknown, OrganizationUnknown: the owner does not exist.
            UpstreamUnavailable: it can't be checked whether the owner exists.
        """
        _require_rights(caller, request)
        key = chosen_key(header_key, request.idempotency_key)
        wallet = request.model_dump(exclude=_REQUEST_ONLY, exclude_none=True)
        deposit = _opening_deposit(caller, request)
        create = partial(self._repository.create, new_id(), caller.client_id, key, wallet, deposit)
        async with self._hiding(caller):
            try:
                verified = await self._membership.admit(request.user_id, request.organization_id)
            except WalletError as refusal:
                if key is None:
                    raise
                return await _created_before(create, refusal)
            return await create(verified=verified)

    async def update(
        self, caller: Principal, wallet_id: str, version: int | None, request: WalletPatch
    ) -> bytes:
        """Apply a merge patch.

        Raises:
            Forbidden: a user token sets the credit limit, or the caller lacks the permission for it; a restricted key
                would change another wallet.
        """
        changes = request.model_dump(include=request.model_fields_set)
        if caller.is_user:
            for member in _OPERATORS_ONLY:
                if member in changes:
                    raise Forbidden(f"A user token can't set {member}")
        if "credit_limit" in changes:
            _require_credit(caller, request.credit_limit)
        if (
            changes.get("is_primary")
            and caller.restriction is not None
            and not caller.restriction.is_of_whole_users
        ):
            raise Forbidden("With is_primary another wallet changes, and the key is restricted to some")
        async with self._hiding(caller):
            return await self._repository.update(wallet_id, caller.user_id, version, changes)

    @asynccontextmanager
    async def _hiding(self, caller: Principal) -> AsyncGenerator[None]:
        """Leave the wallet that has the name out of the refusal where the caller's key does not cover it."""
        try:
            yield
        except WalletExists as error:
            access = self._membership.of_caller(caller.user_id, caller.restriction).restricted
            if access is None or await access.sees(error.facts["wallet_id"]):
                raise
            raise WalletExists from None


def _is_nothing(amount: str | None) -> bool:
    """Whether an amount is left out or 0, which asks for the same wallet."""
    return amount is None or amount.strip("0.") == ""


def _require_rights(caller: Principal, request: WalletCreate) -> None:
    """Refuse a caller who may not create this wallet; the opening balance is checked when its deposit is made."""
    if caller.is_user:
        if request.user_id != caller.user_id:
            raise Forbidden("A user token creates wallets of its own user only")
        for member in ("initial_balance", "organization_id"):
            if getattr(request, member) is not None and (request.keeping, member) != _OWN_RECORD:
                raise Forbidden(f"A user token can't set {member}")
        # A limit of 0 is what a response shows, and a request may be written from a response.
        if not _is_nothing(request.credit_limit):
            raise Forbidden("A user token can't set credit_limit")
    if caller.restriction is not None:
        caller.restriction.require_new_wallet(request.user_id, request.organization_id)
    if request.credit_limit is not None and not _is_nothing(request.credit_limit):
        _require_credit(caller, request.credit_limit)


def _opening_deposit(caller: Principal, request: WalletCreate) -> dict[str, Any] | None:
    """The deposit of the opening balance; None for a balance of 0.

    Raises:
        AmountInvalid: an operating wallet would open below zero.
        Forbidden: the caller may not deposit so much.
    """
    if request.initial_balance is None or _is_nothing(request.initial_balance):
        return None
    is_record = request.keeping == "mirrored"
    if not is_record and request.initial_balance.startswith("-"):
        raise validation_problem([_BELOW_ZERO])
    caller.require(DEPOSITS_WRITE)
    if caller.restriction is not None:
        caller.restriction.require_counter_account(_OPENING_RECORD if is_record else _OPENING)
        caller.restriction.require_amount(abs(Decimal(request.initial_balance)))
    return {
        "transaction_id": new_id(),
        "client_id": caller.client_id,
        "amount": request.initial_balance,
    }


def _require_credit(caller: Principal, limit: str) -> None:
    """Refuse a caller who may not give so much credit, which can be spent like a deposit."""
    caller.require(CREDIT_LIMITS_WRITE)
    if caller.restriction is not None:
        caller.restriction.require_amount(Decimal(limit))


async def _created_before(create: Callable[..., Awaitable[Created]], refusal: WalletError) -> Created:
    """The first response, if the key is spent: a replay does not depend on upstream services. Otherwise the refusal."""
    try:
        return await create(verified=None)
    except UserUnknown:
        raise refusal from None


def version_of(if_match: str | None) -> int | None:
    """The wallet's version in an ``If-Match`` header. The last entry, after the dot, is not compared.

    Raises:
        ValidationFailed: the header is not an ETag of a wallet.
    """
    return etag.version_of(if_match, "a wallet", _ETAG)

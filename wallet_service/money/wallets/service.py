"""The rules for creating and changing wallets: which caller may do what."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from wallet_service.core.errors import Forbidden, ValidationFailed, WalletError
from wallet_service.core.identifiers import new_id
from wallet_service.money.permissions import TRANSACTIONS_WRITE
from wallet_service.money.wallets.repository import Created, WalletRepository
from wallet_service.money.wallets.schemas import WalletCreate, WalletPatch
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.membership.access import WalletAccess
from wallet_service.platform.membership.problems import UserUnknown
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
_REQUEST_ONLY = {"initial_balance", "idempotency_key"}


class WalletService:
    """Checks the caller's rights, then creates or changes a wallet."""

    def __init__(self, repository: WalletRepository, access: WalletAccess) -> None:
        self._repository = repository
        self._access = access

    async def create(self, caller: Principal, request: WalletCreate, header_key: str | None) -> Created:
        """Create a wallet with its opening balance.

        Raises:
            Forbidden: a user token creates a wallet of another user, or sets a balance, credit limit or organization.
            UserUnknown, OrganizationUnknown: the owner does not exist.
            UpstreamUnavailable: it can't be checked whether the owner exists.
        """
        if caller.is_user:
            _check_user(caller, request)
        if not _is_nothing(request.credit_limit):
            caller.require(TRANSACTIONS_WRITE)
        key = chosen_key(header_key, request.idempotency_key)
        wallet = request.model_dump(exclude=_REQUEST_ONLY, exclude_none=True)
        deposit: dict[str, Any] | None = None
        if request.initial_balance is not None and not _is_nothing(request.initial_balance):
            if request.keeping != "mirrored" and request.initial_balance.startswith("-"):
                raise validation_problem([_BELOW_ZERO])
            caller.require(TRANSACTIONS_WRITE)
            deposit = {
                "transaction_id": new_id(),
                "client_id": caller.client_id,
                "amount": request.initial_balance,
            }
        create = partial(self._repository.create, new_id(), caller.client_id, key, wallet, deposit)
        try:
            verified = await self._access.admit(request.user_id, request.organization_id)
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
            Forbidden: a user token sets the credit limit.
        """
        changes = request.model_dump(include=request.model_fields_set)
        if caller.is_user:
            for member in _OPERATORS_ONLY:
                if member in changes:
                    raise Forbidden(f"A user token can't set {member}")
        if "credit_limit" in changes:
            caller.require(TRANSACTIONS_WRITE)  # credit can be spent like a deposit
        return await self._repository.update(wallet_id, caller.user_id, version, changes)


def _is_nothing(amount: str | None) -> bool:
    """Whether an amount is left out or 0, which asks for the same wallet."""
    return amount is None or amount.strip("0.") == ""


def _check_user(caller: Principal, request: WalletCreate) -> None:
    """Refuse a user token what only services set in a new wallet.

    Raises:
        Forbidden: it sets that.
    """
    if request.user_id != caller.user_id:
        raise Forbidden("A user token creates wallets of its own user only")
    for member in ("initial_balance", "organization_id"):
        if getattr(request, member) is not None and (request.keeping, member) != _OWN_RECORD:
            raise Forbidden(f"A user token can't set {member}")
    # A limit of 0 is what a response shows, and a request may be written from a response.
    if not _is_nothing(request.credit_limit):
        raise Forbidden("A user token can't set credit_limit")


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
    if if_match is None or if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None:
        detail = "If-Match is not a wallet's ETag"
        error = {"in": "header", "pointer": "/If-Match", "detail": detail, "code": "etag_invalid"}
        raise ValidationFailed(detail, errors=[error])
    return int(found[1])

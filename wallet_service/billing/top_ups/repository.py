"""The SQL functions of top-ups."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wallet_service.core.identifiers import new_id
from wallet_service.platform.database.caller import caller_param
from wallet_service.platform.database.gateway import Database, Json
from wallet_service.platform.web.created import Created, request_hash


@dataclass(frozen=True, slots=True)
class NewTopUp:
    """A top-up that a caller wants.

    Attributes:
        amount: a decimal number in the wallet's currency.
        payment_method: is charged; None: that of the wallet's rule.
        reference: the caller's name for it.
        metadata: the caller's object.
    """

    amount: str
    payment_method: str | None
    reference: str | None
    metadata: Mapping[str, Any]


class TopUpRepository:
    """Rules and top-ups, as callers see and change them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rule(self, wallet_id: str, user_id: str | None) -> bytes:
        """The rule of a wallet. ``user_id``: the user that the wallet must belong to, or None for any.

        Raises:
            WalletNotFound: there is no such wallet.
            TopUpRuleNotFound: it has no rule.
        """
        return await self._database.read("get_top_up_rule", wallet_id=wallet_id, user_id=user_id)

    async def set_rule(
        self, wallet_id: str, version: int | None, rule: Mapping[str, Any], creator: Mapping[str, str]
    ) -> bytes:
        """Set the rule of a wallet, if it has this version (None: any; 0: there is none).

        Raises:
            WalletNotFound, WalletClosed, WalletMirrored: the wallet can't have a rule.
            VersionMismatch: the rule has changed since.
            ValidationFailed, AmountPrecision: it is no rule of this wallet's currency.
            WalletBusy: another session has the wallet locked for too long.
        """
        return await self._database.call(
            "replace_top_up_rule",
            wallet_id=wallet_id,
            version=version,
            rule=Json.of(rule),
            creator=Json.of(creator),
            caller=caller_param(),
        )

    async def delete_rule(self, wallet_id: str, version: int | None) -> None:
        """Delete the rule of a wallet, if it has this version (None: any).

        Raises:
            WalletNotFound, TopUpRuleNotFound: there is none.
            VersionMismatch: it has changed since.
            WalletBusy: another session has the wallet locked for too long.
        """
        await self._database.call(
            "delete_top_up_rule", wallet_id=wallet_id, version=version, caller=caller_param()
        )

    async def request(
        self, client_id: str, key: str | None, wallet_id: str, wanted: NewTopUp, creator: Mapping[str, str]
    ) -> Created:
        """Start a top-up, once for each key of the client.

        Raises:
            IdempotencyKeyReused: the key was spent on another request.
            WalletNotFound, WalletClosed, WalletFrozen, WalletMirrored: the wallet can't be topped up.
            TopUpUnderWay: an earlier one has not ended.
            AmountPrecision, BalanceLimit, ValidationFailed: not this amount, or no payment method.
            WalletBusy: another session has the wallet locked for too long.
        """
        members = (wallet_id, wanted.amount, wanted.payment_method, wanted.reference)
        metadata = Json.of(wanted.metadata)
        answer = await self._database.repeat(
            "request_top_up",
            top_up_id=new_id(),
            client_id=client_id,
            key=key,
            request_hash=request_hash(1, *members, metadata.text),
            wallet_id=wallet_id,
            amount=wanted.amount,
            payment_method=wanted.payment_method,
            reference=wanted.reference,
            metadata=metadata,
            creator=Json.of(creator),
            caller=caller_param(),
        )
        return Created.of(answer, "top_up")

    async def get(self, top_up_id: str, viewer: str | None) -> bytes:
        """A top-up. ``viewer``: the user that its wallet must belong to, or None for any.

        Raises:
            TopUpNotFound: there is none.
        """
        return await self._database.read("get_top_up", top_up_id=top_up_id, viewer=viewer)

    async def page(
        self, wallet_id: str, viewer: str | None, state: str | None, after: str | None, limit: int
    ) -> tuple[bytes, str | None]:
        """A page of the top-ups of a wallet, newest first, and the id after which the next one begins.

        Raises:
            WalletNotFound: there is no such wallet, or it belongs to another user.
        """
        answer = await self._database.read(
            "list_top_ups", wallet_id=wallet_id, viewer=viewer, state=state, after=after, limit=limit
        )
        items, _, following = answer.rpartition(b"\n")
        return items, following.decode() or None

    async def take_notice(self, message_id: str, payment_id: str, reference: str | None) -> bool:
        """Wake a job that reads this payment, once for each message; whether it is of a top-up of ours."""
        answer = await self._database.call(
            "take_payment_notice", message_id=message_id, payment_id=payment_id, reference=reference
        )
        return answer == b"true"


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done next about a top-up.

    Attributes:
        name: ``start``, ``charge``, ``look``, ``deposit`` or ``end``.
        top_up: as its readers see it.
        user_id: who pays: the user of the wallet.
        creator: under whose rights it charges.
        transaction_id: of the deposit.
        deposit_attempt: the number of this attempt of the deposit.
    """

    name: str
    top_up: Mapping[str, Any]
    user_id: str
    creator: Mapping[str, str]
    transaction_id: str
    deposit_attempt: int


class TopUpSteps:
    """The steps of top-ups, for their jobs. Each call can be repeated."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def next(self, top_up_id: str) -> Step:
        """The step that is next.

        Raises:
            TopUpNotFound: there is no such top-up.
        """
        found = json.loads(await self._database.call("next_top_up_step", top_up_id=top_up_id))
        return Step(
            name=found["step"],
            top_up=found["top_up"],
            user_id=found["user_id"],
            creator=found["creator"],
            transaction_id=found["transaction_id"],
            deposit_attempt=found["deposit_attempt"],
        )

    async def start(self, top_up_id: str, refusal: Mapping[str, str] | None, most: str | None) -> None:
        """Begin the charge, of at most this amount; or cancel it, with a refusal because of its creator."""
        await self._database.call(
            "start_top_up",
            top_up_id=top_up_id,
            refusal=None if refusal is None else Json.of(refusal),
            most=most,
            caller=caller_param(),
        )

    async def record_payment(
        self, top_up_id: str, payment_id: str | None, status: str, failure: Mapping[str, str] | None = None
    ) -> None:
        """Record what the payment service says of the payment."""
        await self._database.call(
            "record_top_up_payment",
            top_up_id=top_up_id,
            payment_id=payment_id,
            status=status,
            failure=None if failure is None else Json.of(failure),
            caller=caller_param(),
        )

    async def complete(self, top_up_id: str) -> None:
        """Record that the deposit is posted."""
        await self._database.call("complete_top_up", top_up_id=top_up_id, caller=caller_param())

    async def fail(self, top_up_id: str, failure: Mapping[str, str]) -> None:
        """Record that the ledger refused the deposit."""
        await self._database.call(
            "fail_top_up", top_up_id=top_up_id, failure=Json.of(failure), caller=caller_param()
        )

    async def wake(self) -> int:
        """Enqueue jobs of top-ups whose jobs ended before them; how many."""
        return int(await self._database.call("wake_top_ups"))

    async def counts(self) -> Mapping[str, Any]:
        """What is under way by state, ``states``, and which rules charge no more by reason, ``stopped``."""
        counts: dict[str, Any] = json.loads(await self._database.read("read_top_up_counts"))
        return counts

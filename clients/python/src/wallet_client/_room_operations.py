"""The operations of a batch on grants and holds: the part of ``Operation`` that is not of the ledger alone."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from wallet_client._call import Id, Moment, moment
from wallet_client.money import Amount, amount_text

if TYPE_CHECKING:
    from wallet_client.grants import Source
    from wallet_client.holds import Overage


class RoomOperations:
    """Makes operations on grants and holds. Their results in a batch are ``Decided``.

    An operation on a hold names its wallet, too. A capture is posted as ``consume``.
    """

    __slots__ = ()

    @classmethod
    @abstractmethod
    def _made(cls, kind: str, key: str | None, members: Mapping[str, Any], **ids: Id) -> Self:
        """An operation of this type."""

    @classmethod
    def grant(
        cls,
        wallet_id: Id,
        amount: Amount,
        *,
        source: "Source",
        priority: int | None = None,
        effective_at: Moment | None = None,
        expires_at: Moment | None = None,
        expires_in_s: int | None = None,
        pays: Sequence[str] | None = None,
        is_transferable: bool | None = None,
        unit_cost: Amount | None = None,
        cost_currency: str | None = None,
        counter_account: str | None = None,
        notice_s: int | None = None,
        refund_grace_s: int | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Grant credits; arguments as of ``client.grants.create``.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = {
            "amount": amount_text(amount),
            "source": source,
            "priority": priority,
            "effective_at": moment(effective_at, "effective_at"),
            "expires_at": moment(expires_at, "expires_at"),
            "expires_in_s": expires_in_s,
            "pays": None if pays is None else [*pays],
            "is_transferable": is_transferable,
            "unit_cost": None if unit_cost is None else amount_text(unit_cost),
            "cost_currency": cost_currency,
            "counter_account": counter_account,
            "notice_s": notice_s,
            "refund_grace_s": refund_grace_s,
            "reference": reference,
            "metadata": metadata,
        }
        return cls._made("grant", idempotency_key, members, wallet_id=wallet_id)

    @classmethod
    def hold(
        cls,
        wallet_id: Id,
        amount: Amount,
        *,
        expires_in_s: int | None = None,
        expires_at: Moment | None = None,
        counter_account: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Keep an amount of a wallet for a payment; arguments as of ``client.holds.create``.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = {
            "amount": amount_text(amount),
            "expires_in_s": expires_in_s,
            "expires_at": moment(expires_at, "expires_at"),
            "counter_account": counter_account,
            "reference": reference,
            "metadata": metadata,
        }
        return cls._made("hold", idempotency_key, members, wallet_id=wallet_id)

    @classmethod
    def capture_hold(
        cls,
        wallet_id: Id,
        hold_id: Id,
        amount: Amount | None = None,
        *,
        final: bool = False,
        overage: "Overage" = "refuse",
        counter_account: str | None = None,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Pay an amount of a hold, or all that it keeps; arguments as of ``client.holds.capture``.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = {
            "amount": None if amount is None else amount_text(amount),
            "final": final,
            "overage": overage,
            "counter_account": counter_account,
            "description": description,
            "reference": reference,
            "metadata": metadata,
            "effective_at": moment(effective_at, "effective_at"),
        }
        return cls._made("hold_capture", idempotency_key, members, wallet_id=wallet_id, hold_id=hold_id)

    @classmethod
    def void_hold(cls, wallet_id: Id, hold_id: Id, *, idempotency_key: str | None = None) -> Self:
        """Release what a hold still keeps.

        Raises:
            TypeError, ValueError: an argument can't be sent.
        """
        return cls._made("hold_void", idempotency_key, {}, wallet_id=wallet_id, hold_id=hold_id)

    @classmethod
    def extend_hold(
        cls,
        wallet_id: Id,
        hold_id: Id,
        *,
        expires_in_s: int | None = None,
        expires_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> Self:
        """Let a hold end later; arguments as of ``client.holds.extend``.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a moment without a time zone.
        """
        members = {"expires_in_s": expires_in_s, "expires_at": moment(expires_at, "expires_at")}
        return cls._made("hold_extend", idempotency_key, members, wallet_id=wallet_id, hold_id=hold_id)

    @classmethod
    def increase_hold(
        cls, wallet_id: Id, hold_id: Id, amount: Amount, *, idempotency_key: str | None = None
    ) -> Self:
        """Let a hold keep so much more.

        Raises:
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = {"amount": amount_text(amount)}
        return cls._made("hold_increase", idempotency_key, members, wallet_id=wallet_id, hold_id=hold_id)

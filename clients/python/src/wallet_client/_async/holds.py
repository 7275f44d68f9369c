"""Holds: an amount is kept for a payment, then captured, voided, or it expires."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from wallet_client._async.pages import AsyncPages
from wallet_client._async.runner import AsyncRunner
from wallet_client._call import PAGE_SIZE, Call, Id, Moment, get_call, moment, post_call
from wallet_client._responses import capture_of, hold_of, holds_of
from wallet_client.money import Amount, amount_text
from wallet_client.operations import movement_members

if TYPE_CHECKING:
    from wallet_client.holds import Capture, CaptureType, Hold, HoldState, Overage
    from wallet_client.models import Page

_OF_WALLET = "/wallets/{wallet_id}/holds"
_ONE = "/holds/{hold_id}"


class AsyncHoldsResource:
    """``client.holds``: amounts of wallets that are kept for payments."""

    def __init__(self, runner: AsyncRunner) -> None:
        self._runner = runner

    async def create(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        expires_in_s: int | None = None,
        expires_at: Moment | None = None,
        counter_account: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Hold":
        """Keep an amount of a wallet for a payment, until it is captured, voided, or expires.

        Args:
            wallet_id: the wallet.
            amount: in the wallet's currency, more than 0: Decimal, int or str, never a float.
            expires_in_s: seconds until it expires; default: a setting of the service, an hour.
            expires_at: the same as a moment, with a time zone, in place of ``expires_in_s``.
            counter_account: what it will pay; default ``revenue:usage``. Grants that can pay it are reserved.
            reference: the caller's own name for it; ``list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            dry_run: return the hold as if it were placed, and store nothing.
            idempotency_key: the hold is placed once per key; default: a new key.

        Raises:
            InsufficientFunds: the wallet has not so much available; ``shortfall`` is the difference.
            GrantsNotUsable: it has, but in grants that can't pay the counter account.
            LimitExceeded: the hold does not fit into a limit of the wallet.
            HoldLimit: the wallet has as many open holds as it may have.
            ValidationFailed: the end is in the past, or later than the service allows.
            WalletNotFound: the wallet does not exist, or the caller may not see it.
            WalletFrozen, WalletClosed, WalletMirrored: the wallet does not allow it.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = {
            "amount": amount_text(amount),
            "expires_in_s": expires_in_s,
            "expires_at": moment(expires_at, "expires_at"),
            "counter_account": counter_account,
            "reference": reference,
            "metadata": metadata,
            "dry_run": dry_run or None,
        }
        call = post_call("create_hold", _OF_WALLET, hold_of, members, idempotency_key, wallet_id=wallet_id)
        return await self._runner.run(call)

    async def get(self, hold_id: Id) -> "Hold":
        """Read a hold.

        Args:
            hold_id: the hold.

        Raises:
            HoldNotFound: the hold does not exist, or the caller may not see it.
        """
        return await self._runner.run(get_call("get_hold", _ONE, hold_of, hold_id=hold_id))

    def list(
        self,
        wallet_id: Id,
        *,
        state: "HoldState | None" = None,
        reference: str | None = None,
        from_: Moment | None = None,
        to: Moment | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "AsyncPages[Hold]":
        """The holds of a wallet, newest first.

        Args:
            wallet_id: the wallet.
            state: only those in this state now.
            reference: only those with exactly this reference.
            from_: only those created at this moment or later, with a time zone.
            to: only those created before this moment.
            page_size: items per request, 1 to 100.

        Raises:
            ValueError: a moment can't be read, or has no time zone.
            WalletNotFound: while iterating: the wallet does not exist, or the caller may not see it.
        """
        query: dict[str, Any] = {
            "state": state,
            "reference": reference,
            "from": moment(from_, "from_"),
            "to": moment(to, "to"),
            "limit": page_size,
        }

        def page_after(cursor: str | None) -> "Call[Page[Hold]]":
            sent = query | {"cursor": cursor}
            return get_call("list_holds", _OF_WALLET, holds_of, sent, wallet_id=wallet_id)

        return AsyncPages(self._runner, page_after)

    async def capture(
        self,
        hold_id: Id,
        amount: Amount | None = None,
        *,
        final: bool = False,
        overage: "Overage" = "refuse",
        type: "CaptureType" = "consume",  # noqa: A002 - the parameter's name in the API
        counter_account: str | None = None,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Capture":
        """Pay an amount of a hold. Several captures are possible until nothing is left.

        Args:
            hold_id: the hold.
            amount: more than 0; default: all that the hold still keeps.
            final: release what is left of the hold.
            overage: what to do with an amount above what the hold keeps: ``refuse`` it as HoldExceeded;
                ``take_available``: capture as much of it as the wallet has available; ``allow_to_limit``: the same, down
                to the credit limit. The transaction's amount is what was captured.
            type: the type of the operation that is posted.
            counter_account: the other side of the posting; default: that of the hold.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference of the posting.
            metadata: a JSON object, at most 16 KiB; the posting has it with ``hold_id``.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            dry_run: return the result as if it were posted, and store nothing.
            idempotency_key: the capture is posted once per key; default: a new key.

        Raises:
            HoldExceeded: the amount is above what the hold keeps; ``remaining`` and ``excess`` say how much.
            HoldEnded: the hold was captured, voided, or has expired.
            HoldNotFound: the hold does not exist, or the caller may not see it.
            GrantsNotUsable: what the hold keeps is in grants that can't pay this counter account.
            LimitExceeded: what is beyond the hold does not fit into a limit of the wallet.
            WalletFrozen: the wallet is frozen, and the caller is a user.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount, description, reference, metadata, effective_at, counter_account, dry_run=dry_run
        )
        members |= {"final": final, "overage": overage, "type": type}
        call = post_call(
            "capture_hold", f"{_ONE}/capture", capture_of, members, idempotency_key, hold_id=hold_id
        )
        return await self._runner.run(call)

    async def void(self, hold_id: Id, *, dry_run: bool = False, idempotency_key: str | None = None) -> "Hold":
        """Release what a hold still keeps. What was captured stays captured.

        Args:
            hold_id: the hold.
            dry_run: return the hold as if it were voided, and store nothing.
            idempotency_key: a second call with the key returns the first result; default: a new key.

        Raises:
            HoldEnded: the hold was captured, voided, or has expired.
            HoldNotFound: the hold does not exist, or the caller may not see it.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        members = {"dry_run": dry_run or None}
        call = post_call("void_hold", f"{_ONE}/void", hold_of, members, idempotency_key, hold_id=hold_id)
        return await self._runner.run(call)

    async def extend(
        self,
        hold_id: Id,
        *,
        expires_in_s: int | None = None,
        expires_at: Moment | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Hold":
        """Let a hold end later.

        Args:
            hold_id: the hold.
            expires_in_s: seconds from now until it expires.
            expires_at: the same as a moment, with a time zone, in place of ``expires_in_s``.
            dry_run: return the hold as if it were extended, and store nothing.
            idempotency_key: the hold is extended once per key; default: a new key.

        Raises:
            ValidationFailed: it is not later than the present end, or later than the service allows.
            HoldEnded: the hold was captured, voided, or has expired.
            HoldNotFound: the hold does not exist, or the caller may not see it.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            ValueError: the moment can't be read, or has no time zone.
        """
        members = {
            "expires_in_s": expires_in_s,
            "expires_at": moment(expires_at, "expires_at"),
            "dry_run": dry_run or None,
        }
        call = post_call("extend_hold", f"{_ONE}/extend", hold_of, members, idempotency_key, hold_id=hold_id)
        return await self._runner.run(call)

    async def increase(
        self, hold_id: Id, amount: Amount, *, dry_run: bool = False, idempotency_key: str | None = None
    ) -> "Hold":
        """Let a hold keep more.

        Args:
            hold_id: the hold.
            amount: how much more, more than 0.
            dry_run: return the hold as if it were increased, and store nothing.
            idempotency_key: the hold is increased once per key; default: a new key.

        Raises:
            InsufficientFunds, GrantsNotUsable, LimitExceeded, WalletFrozen: as for a new hold.
            HoldEnded: the hold was captured, voided, or has expired.
            HoldNotFound: the hold does not exist, or the caller may not see it.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = {"amount": amount_text(amount), "dry_run": dry_run or None}
        call = post_call(
            "increase_hold", f"{_ONE}/increase", hold_of, members, idempotency_key, hold_id=hold_id
        )
        return await self._runner.run(call)

# Generated from wallet_client/_async/grants.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Grants of credits, and the schedules that grant each month."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from wallet_client._call import (
    PAGE_SIZE,
    UNSET,
    Call,
    Id,
    Moment,
    Unset,
    change_call,
    encode,
    get_call,
    moment,
    post_call,
)
from wallet_client._responses import (
    grant_of,
    grant_schedule_of,
    grant_schedules_of,
    grants_of,
    nothing_of,
)
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner
from wallet_client.money import Amount, amount_text

if TYPE_CHECKING:
    from wallet_client.grants import Grant, GrantSchedule, GrantState, Rollover, ScheduleSource, Source
    from wallet_client.models import Page

_GRANT = "/grants/{grant_id}"
_SCHEDULES = "/wallets/{wallet_id}/grant-schedules"
_SCHEDULE = f"{_SCHEDULES}/{{schedule_id}}"


class GrantsResource:
    """``client.grants``: credits with a source, a priority, an end and a price. Debits take from them in order."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def create(
        self,
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
        dry_run: bool | None = None,
        idempotency_key: str | None = None,
    ) -> "Grant":
        """Grant credits, now or from a later moment.

        Args:
            wallet_id: the wallet.
            amount: how many, in the wallet's currency.
            source: where they come from; it decides the default of ``counter_account``.
            priority: debits take from lower numbers first, then from what ends first; default: 100.
            effective_at: when they can be used; default: now.
            expires_at: when the rest expires; default: never.
            expires_in_s: the same in seconds after ``effective_at``, in place of ``expires_at``.
            pays: the only counter accounts that they pay; default: all.
            is_transferable: whether transfers and withdrawals can take from them; default: no.
            unit_cost: the price that was paid for one credit.
            cost_currency: the currency of ``unit_cost``.
            counter_account: the other side of the posting.
            notice_s: seconds before the end at which ``grant.ending`` is recorded; default: of the service.
            refund_grace_s: seconds for which credits can be used that a refund gives back after the end.
            reference: the caller's own name for the grant.
            metadata: a JSON object of the caller.
            dry_run: True: decide it and return the result, but post nothing.
            idempotency_key: one grant is created per key; default: a new key.

        Raises:
            WalletNotFound, WalletClosed, WalletMirrored: the wallet can't have grants.
            GrantLimit: it has as many live grants as it may have.
            AmountPrecision: more decimals than the currency has.
            ValidationFailed: an argument is not acceptable.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
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
            "dry_run": dry_run,
        }
        route = "/wallets/{wallet_id}/grants"
        return self._runner.run(
            post_call("create_grant", route, grant_of, body, idempotency_key, wallet_id=wallet_id)
        )

    def get(self, grant_id: Id) -> "Grant":
        """Read a grant.

        Args:
            grant_id: the grant.

        Raises:
            GrantNotFound: there is no such grant, or the caller may not see its wallet.
        """
        return self._runner.run(get_call("get_grant", _GRANT, grant_of, grant_id=grant_id))

    def list(
        self,
        wallet_id: Id,
        *,
        state: "GrantState | None" = None,
        source: "Source | None" = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Grant]":
        """The grants of a wallet, newest first, those that have ended too.

        Args:
            wallet_id: the wallet.
            state: only those in this state now.
            source: only those with this source.
            page_size: items per request, 1 to 100.
        """

        def page_after(cursor: str | None) -> "Call[Page[Grant]]":
            query = {"state": state, "source": source, "limit": page_size, "cursor": cursor}
            return get_call(
                "list_grants", "/wallets/{wallet_id}/grants", grants_of, query, wallet_id=wallet_id
            )

        return Pages(self._runner, page_after)

    def void(
        self, grant_id: Id, *, description: str | None = None, idempotency_key: str | None = None
    ) -> "Grant":
        """Take back what is left of a grant: it goes where it came from.

        Args:
            grant_id: the grant.
            description: why; it is stored with the posting.
            idempotency_key: one call is done per key; default: a new key.

        Raises:
            GrantNotFound: there is no such grant.
            GrantEnded: nothing of it is left that is not reserved.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        route = f"{_GRANT}/void"
        body = {"description": description}
        return self._runner.run(
            post_call("void_grant", route, grant_of, body, idempotency_key, grant_id=grant_id)
        )


class GrantSchedulesResource:
    """``client.grant_schedules``: credits for a wallet each month. A wallet has at most 20."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def create(
        self,
        wallet_id: Id,
        amount: Amount,
        *,
        source: "ScheduleSource",
        day_of_month: int,
        time_zone: str | None = None,
        starts_at: Moment | None = None,
        ends_at: Moment | None = None,
        rollover: "Rollover | None" = None,
        rollover_value: Amount | None = None,
        priority: int | None = None,
        counter_account: str | None = None,
        pays: Sequence[str] | None = None,
        is_transferable: bool | None = None,
        unit_cost: Amount | None = None,
        cost_currency: str | None = None,
        notice_s: int | None = None,
        refund_grace_s: int | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> "GrantSchedule":
        """Grant credits each month; each period exactly once, by itself.

        Args:
            wallet_id: the wallet.
            amount: how many each period brings.
            source: where they come from.
            day_of_month: a period begins at midnight of this day; in a shorter month, of its last day.
            time_zone: of that midnight: a name of the IANA database; default: UTC.
            starts_at: the first period begins at or after it, at most 31 days ago; default: now.
            ends_at: no period begins at or after it; default: there is no end.
            rollover: what happens with the rest at the end of a period; default: ``none``.
            rollover_value: of ``cap`` an amount, of ``percent`` a percentage.
            priority: debits take from lower numbers first; default: 100.
            counter_account: the other side of the postings.
            pays: the only counter accounts that they pay; default: all.
            is_transferable: whether transfers and withdrawals can take from them; default: no.
            unit_cost: the price that is paid for one credit.
            cost_currency: the currency of ``unit_cost``.
            notice_s: seconds before the end of a period at which ``grant.ending`` is recorded.
            refund_grace_s: seconds for which credits can be used that a refund gives back after the end.
            reference: the caller's own name for the schedule.
            metadata: a JSON object of the caller, which each grant has.
            idempotency_key: one schedule is created per key; default: a new key.

        Raises:
            WalletNotFound, WalletClosed, WalletMirrored: the wallet can't have schedules.
            GrantScheduleLimit: it has as many as it may have.
            AmountPrecision: more decimals than the currency has.
            ValidationFailed: an argument is not acceptable.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
        """
        body = {
            "amount": amount_text(amount),
            "source": source,
            "day_of_month": day_of_month,
            "time_zone": time_zone,
            "starts_at": moment(starts_at, "starts_at"),
            "ends_at": moment(ends_at, "ends_at"),
            "rollover": rollover,
            "rollover_value": None if rollover_value is None else amount_text(rollover_value),
            "priority": priority,
            "counter_account": counter_account,
            "pays": None if pays is None else [*pays],
            "is_transferable": is_transferable,
            "unit_cost": None if unit_cost is None else amount_text(unit_cost),
            "cost_currency": cost_currency,
            "notice_s": notice_s,
            "refund_grace_s": refund_grace_s,
            "reference": reference,
            "metadata": metadata,
        }
        call = post_call(
            "create_grant_schedule",
            _SCHEDULES,
            grant_schedule_of,
            body,
            idempotency_key,
            wallet_id=wallet_id,
        )
        return self._runner.run(call)

    def get(self, wallet_id: Id, schedule_id: Id) -> "GrantSchedule":
        """Read a schedule, and when its next period begins.

        Args:
            wallet_id: the wallet.
            schedule_id: the schedule.

        Raises:
            WalletNotFound: there is no such wallet, or the caller may not see it.
            GrantScheduleNotFound: the wallet has none with this id.
        """
        call = get_call(
            "get_grant_schedule", _SCHEDULE, grant_schedule_of, wallet_id=wallet_id, schedule_id=schedule_id
        )
        return self._runner.run(call)

    def list(self, wallet_id: Id) -> "tuple[GrantSchedule, ...]":
        """The schedules of a wallet, oldest first, those that have ended too.

        Args:
            wallet_id: the wallet.

        Raises:
            WalletNotFound: there is no such wallet, or the caller may not see it.
        """
        return self._runner.run(
            get_call("list_grant_schedules", _SCHEDULES, grant_schedules_of, wallet_id=wallet_id)
        )

    def update(
        self,
        wallet_id: Id,
        schedule_id: Id,
        *,
        amount: Amount | Unset = UNSET,
        ends_at: Moment | Unset | None = UNSET,
        rollover: "Rollover | Unset" = UNSET,
        rollover_value: Amount | Unset | None = UNSET,
        priority: int | Unset = UNSET,
        pays: Sequence[str] | Unset | None = UNSET,
        is_transferable: bool | Unset = UNSET,
        unit_cost: Amount | Unset | None = UNSET,
        cost_currency: str | Unset | None = UNSET,
        notice_s: int | Unset = UNSET,
        refund_grace_s: int | Unset = UNSET,
        reference: str | Unset | None = UNSET,
        metadata: Mapping[str, Any] | Unset = UNSET,
        if_version: int | None = None,
    ) -> "GrantSchedule":
        """Change a schedule, for the periods that begin later. Arguments that are left out change nothing.

        The call has no idempotency key: if a first attempt gets no response and a later one is refused, the error is
        ``OutcomeUnknown``.

        Args:
            wallet_id: the wallet.
            schedule_id: the schedule.
            amount: how many credits each period brings.
            ends_at: no period begins at or after it; a past moment stops the schedule; None: there is no end.
            rollover: what happens with the rest at the end of a period, also of the present one.
            rollover_value: of ``cap`` an amount, of ``percent`` a percentage.
            priority: debits take from lower numbers first.
            pays: the only counter accounts that they pay; None: all.
            is_transferable: whether transfers and withdrawals can take from them.
            unit_cost: the price that is paid for one credit; None: none is.
            cost_currency: the currency of ``unit_cost``.
            notice_s: seconds before the end of a period at which ``grant.ending`` is recorded.
            refund_grace_s: seconds for which credits can be used that a refund gives back after the end.
            reference: the caller's own name for the schedule.
            metadata: a JSON object of the caller.
            if_version: change it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            GrantScheduleNotFound: the wallet has no such schedule.
            WalletClosed: the wallet is closed.
            ValidationFailed, AmountPrecision: it would be no schedule.
            OutcomeUnknown: the change may have been made; read the schedule.
        """
        members: dict[str, Any] = {
            "amount": _text(amount),
            "ends_at": ends_at if isinstance(ends_at, Unset) else moment(ends_at, "ends_at"),
            "rollover": rollover,
            "rollover_value": _text(rollover_value),
            "priority": priority,
            "pays": pays if pays is None or isinstance(pays, Unset) else [*pays],
            "is_transferable": is_transferable,
            "unit_cost": _text(unit_cost),
            "cost_currency": cost_currency,
            "notice_s": notice_s,
            "refund_grace_s": refund_grace_s,
            "reference": reference,
            "metadata": metadata,
        }
        body = encode({member: value for member, value in members.items() if value is not UNSET})
        call = change_call(
            "update_grant_schedule",
            "PATCH",
            _SCHEDULE,
            grant_schedule_of,
            body,
            if_version,
            wallet_id=wallet_id,
            schedule_id=schedule_id,
        )
        return self._runner.run(call)

    def delete(self, wallet_id: Id, schedule_id: Id, *, if_version: int | None = None) -> None:
        """Delete a schedule: nothing more is granted. The call has no idempotency key; see ``update``.

        Args:
            wallet_id: the wallet.
            schedule_id: the schedule.
            if_version: delete it only if this is still its ``version``.

        Raises:
            VersionMismatch: it has another version than ``if_version``.
            GrantScheduleNotFound: the wallet has no such schedule.
            WalletClosed: the wallet is closed.
        """
        call = change_call(
            "delete_grant_schedule",
            "DELETE",
            _SCHEDULE,
            nothing_of,
            None,
            if_version,
            wallet_id=wallet_id,
            schedule_id=schedule_id,
        )
        return self._runner.run(call)


def _text(amount: Amount | Unset | None) -> str | Unset | None:
    return amount if amount is None or isinstance(amount, Unset) else amount_text(amount)

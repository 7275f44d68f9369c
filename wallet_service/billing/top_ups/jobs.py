"""The jobs of top-ups."""

from collections.abc import Mapping
from decimal import Decimal
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog

from wallet_service.billing.top_ups.repository import Step, TopUpSteps
from wallet_service.billing.top_ups.room import COUNTER_ACCOUNT, TOP_UPS_WRITE
from wallet_service.core.errors import Forbidden, Unauthorized, WalletError, WalletNotFound
from wallet_service.ledger.operations import Operation
from wallet_service.ledger.problems import TransactionSuperseded
from wallet_service.platform.jobs.context import shown
from wallet_service.platform.upstreams.problems import UpstreamUnavailable

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.platform.jobs.context import JobContext

_OWNER = "wallet-service:top-ups"
"""The client of the deposits, and the owner of their keys. No caller can have a name with a colon but a user."""
_DONE = ("look", "end")
_LONGEST_DETAIL = 200

_log = structlog.get_logger(__name__)


def reference_of(top_up_id: str) -> str:
    """The reference of the payment of a top-up."""
    return f"top_up:{top_up_id}"


async def advance_top_up(context: "JobContext") -> None:
    """Do the steps of a top-up that can be done now: start, charge or look, deposit.

    Whatever ends this in between, another job repeats the step: with the same key at the payment service, which then
    returns the first payment, and with the same key in the ledger.
    """
    top_up_id: str = context.arguments["top_up_id"]
    steps = TopUpSteps(context.state.database)
    step = await steps.next(top_up_id)
    if step.name in _DONE:
        await _look(context.state, steps, step, context.arguments.get("payment_id"))
        step = await steps.next(top_up_id)
    while step.name not in _DONE:
        match step.name:
            case "start":
                await _start(context.state, steps, step)
            case "charge":
                await _charge(context.state, steps, step)
            case _:
                await _deposit(context.state, steps, step)
        await context.heartbeat()
        step = await steps.next(top_up_id)


async def wake_top_ups(context: "JobContext") -> None:
    """Enqueue jobs of top-ups that are under way and have none: it was cancelled, or its attempts were used up."""
    woken = await TopUpSteps(context.state.database).wake()
    context.progress(woken, note="top-ups woken")


async def _start(state: Any, steps: TopUpSteps, step: Step) -> None:
    """Check the rights of the creator as they are now, and begin the charge or cancel it."""
    top_up_id = step.top_up["top_up_id"]
    try:
        most = await _check_rights(state, step.creator, step.top_up["wallet_id"])
    except (Unauthorized, Forbidden, WalletNotFound) as error:
        await steps.start(top_up_id, _failure(error.code, error.detail), None)
    else:
        await steps.start(top_up_id, None, most)


async def _check_rights(state: Any, creator: Mapping[str, str], wallet_id: str) -> str | None:
    """The most that the creator may move in an operation; None: any amount.

    Raises:
        Unauthorized, Forbidden, WalletNotFound: it may not top up the wallet any more.
        Unavailable, UpstreamUnavailable: its rights can't be checked now.
    """
    caller = await state.auth.present(creator["client_id"], creator.get("key_id"), creator.get("user_id"))
    caller.require(TOP_UPS_WRITE)
    for check in state.caller_checks:
        await check(state, caller)
    await state.membership.of_caller(caller.user_id, caller.restriction).check(wallet_id)
    if caller.restriction is None:
        return None
    caller.restriction.require_counter_account(COUNTER_ACCOUNT)
    most = caller.restriction.max_amount
    return None if most is None else f"{most:f}"


async def _charge(state: Any, steps: TopUpSteps, step: Step) -> None:
    from wallet_service.platform.upstreams.payments import PaymentRefused  # noqa: PLC0415 - imports httpx

    top_up = step.top_up
    payments = await state.payments.client()
    try:
        payment = await payments.create_payment(
            step.user_id,
            top_up["amount"],
            top_up["currency"],
            reference=reference_of(top_up["top_up_id"]),
            idempotency_key=reference_of(top_up["top_up_id"]),
            payment_method=top_up["payment_method"],
        )
    except PaymentRefused as error:
        if error.status == HTTPStatus.CONFLICT:
            # Another request with the key may still be at work: its outcome is not known, and it may succeed.
            raise UpstreamUnavailable("The payment service is busy with this payment") from error
        code = "payment_declined" if error.status == HTTPStatus.PAYMENT_REQUIRED else "payment_refused"
        await steps.record_payment(top_up["top_up_id"], None, "failed", _failure(code, error.detail))
    else:
        await steps.record_payment(top_up["top_up_id"], payment.payment_id, payment.status)


async def _look(state: Any, steps: TopUpSteps, step: Step, noticed: str | None) -> None:
    """Read the payment of a top-up that is pending; or that has ended, where there is a notice.

    A payment that only a notice names must have the reference of the top-up: then it is the one of its key.
    """
    top_up = step.top_up
    payment_id = top_up["payment_id"] or noticed
    if payment_id is None or (step.name == "end" and noticed is None):
        return
    payments = await state.payments.client()
    payment = await payments.get_payment(payment_id)
    is_its = payment is not None and (
        (payment.user_id, payment.currency, payment.amount)
        == (step.user_id, top_up["currency"], Decimal(top_up["amount"]))
        and (top_up["payment_id"] is not None or payment.reference == reference_of(top_up["top_up_id"]))
    )
    if payment is not None and is_its:
        await steps.record_payment(top_up["top_up_id"], payment_id, payment.status)
    elif step.name == "look":
        _log.warning("payment_not_found", top_up_id=top_up["top_up_id"], payment_id=payment_id)
        await steps.record_payment(top_up["top_up_id"], payment_id, "pending")


async def _deposit(state: Any, steps: TopUpSteps, step: Step) -> None:
    """Post the deposit, and record that it is posted or that the ledger refuses it."""
    top_up = step.top_up
    details = {"metadata": {"top_up_id": top_up["top_up_id"], "payment_id": top_up["payment_id"]}}
    if top_up["reference"] is not None:
        details["reference"] = top_up["reference"]
    operation = Operation(
        type="deposit",
        client_id=_OWNER,
        idempotency_key=reference_of(top_up["top_up_id"]),
        wallet_id=top_up["wallet_id"],
        amount=top_up["amount"],
        counter_account=COUNTER_ACCOUNT,
        details=details,
        transaction_id=step.transaction_id,
    )
    try:
        await state.ledger.post_one(operation, attempt=step.deposit_attempt)
    except WalletError as error:
        if error.retryable or isinstance(error, TransactionSuperseded):
            raise
        await steps.fail(top_up["top_up_id"], _failure(error.code, error.detail))
    else:
        await steps.complete(top_up["top_up_id"])


def _failure(code: str, detail: str) -> Mapping[str, str]:
    return {"code": code, "detail": shown(detail)[:_LONGEST_DETAIL]}

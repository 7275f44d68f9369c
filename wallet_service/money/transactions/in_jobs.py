"""Moving money in a job, under the client and rights that its creator has now."""

from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.jobs.context import JobContext
from wallet_service.platform.web.idempotency import CallAttempt


async def transactions_of(context: JobContext, wallet_id: str) -> TransactionService:
    """The service that moves money on a wallet for the creator of a job, whose rights are checked for it.

    To be called before each movement, with an idempotency key of the job: ``context.idempotency_key(step)``.

    Raises:
        Unauthorized, Forbidden: the creator may no longer do it. The job is paused.
        WalletNotFound: the creator's key is restricted to other wallets. The job is paused.
        Unavailable: the rights can't be checked now.
    """
    caller = await context.caller()
    access = context.state.membership.of_caller(caller.user_id, caller.restriction)
    await access.check(wallet_id)
    return TransactionService(
        context.state.ledger, caller, access, context.state.posting_hooks, CallAttempt()
    )

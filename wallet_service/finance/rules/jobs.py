"""The jobs of rules."""

from typing import TYPE_CHECKING

from wallet_service.core.errors import Forbidden, Unauthorized, WalletError
from wallet_service.finance.rules.compiled import RulesTooSlow
from wallet_service.finance.rules.repository import RuledEntries
from wallet_service.finance.rules.service import AutomaticRules, RuleJob
from wallet_service.platform.jobs.context import JobRefused

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.platform.jobs.context import JobContext


async def apply_missed_rules(context: "JobContext") -> None:
    """Apply the rules of books to what was catalogued while they were not applied: the process died in between."""
    automatic: AutomaticRules = context.state.automatic_rules
    await automatic.follow_missed(lambda done: context.progress(done, note="entries looked at"))


async def apply_rules(context: "JobContext") -> None:
    """Apply rules to entries of a book. Another attempt begins again: what is changed already stays as it is."""
    await context.caller()
    job = RuleJob(RuledEntries(context.state.database), context.arguments, context.job.job_id)

    async def report(done: int) -> None:
        context.progress(done, note=f"{job.changed} changed")
        await context.caller()  # its rights may have gone since the last entries

    try:
        await job.run(report)
    except RulesTooSlow as error:
        raise JobRefused(
            "rules_too_slow", "The rules take too long: their regular expressions are too large"
        ) from error
    except WalletError as error:
        if error.retryable or isinstance(error, Unauthorized | Forbidden):
            raise
        raise JobRefused(error.code, error.detail) from error
    context.finish_with(job.result())

"""One attempt of a job: from the claim to its end, whatever ends it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import structlog

from wallet_service.core.caller import RecordedCaller, acting_as
from wallet_service.core.errors import Forbidden, Unauthorized, WalletError
from wallet_service.core.retries import RetryPolicy
from wallet_service.platform.jobs.backoff import pause_ms
from wallet_service.platform.jobs.context import JobContext, JobRefused, LeaseLost, shown
from wallet_service.platform.jobs.metrics import JobMetrics
from wallet_service.platform.jobs.repository import Claimed, JobRepository
from wallet_service.platform.jobs.types import RunnableType

_MARGIN = 0.9
"""The part of a lease after which a worker that could not renew it stops the handler: before another can begin."""
_REPORT_S = 5.0
_NOT_FOUND = 404

_log = structlog.get_logger(__name__)


class Attempt:
    """An attempt under way.

    Args:
        job: that was claimed.
        kind: its type.
        state: of the application.
        repository: stores jobs.
        metrics: counts attempts.
        leased_at: when the claim was sent, by the loop's clock: the lease ends ``lease_s`` later or after that.

    Attributes:
        job: the job.
    """

    def __init__(
        self,
        job: Claimed,
        kind: RunnableType,
        state: Any,
        repository: JobRepository,
        metrics: JobMetrics,
        *,
        leased_at: float,
    ) -> None:
        self.job = job
        self._kind = kind
        self._repository = repository
        self._metrics = metrics
        self._leased_at = leased_at
        self._context = JobContext(job, state, kind.permission, self._renew)
        self._handling: asyncio.Task[None] | None = None
        self._ends: Literal["lost", "released"] | None = None

    async def run(self) -> None:
        """Run the handler, and report its outcome to the database. Never raises."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        with structlog.contextvars.bound_contextvars(job_id=self.job.job_id, job_type=self.job.type):
            try:
                outcome = await self._outcome()
            except WalletError as error:
                # The job stays claimed until its lease expires; then another attempt follows.
                _log.warning("job_outcome_not_stored", reason=error.detail)
                outcome = "lost"
            except Exception:  # noqa: BLE001 - the worker must go on
                _log.exception("job_outcome_not_stored")
                outcome = "lost"
            seconds = loop.time() - began
            self._metrics.ended(self.job.type, outcome, seconds)
            _log.info("job_ended", outcome=outcome, attempt=self.job.attempt, seconds=round(seconds, 3))

    def wants_renewal(self) -> bool:
        """Whether there is progress to store, or a third of the lease has passed."""
        passed_s = asyncio.get_running_loop().time() - self._leased_at
        return not self._context.is_reported or passed_s > self._kind.kind.lease_s / 3

    def renewal(self) -> dict[str, Any]:
        """The renewal of the lease, with the progress."""
        self._context.is_reported = True
        return {
            "job_id": self.job.job_id,
            "lease_id": self.job.lease_id,
            "lease_s": self._kind.kind.lease_s,
            "progress": self._context.done,
        }

    def renewed(self, asked: float, *, is_held: bool) -> None:
        """Take over the result of a renewal that was sent at this time; without the lease the handler is ended."""
        if is_held:
            self._leased_at = asked
        else:
            self._end("lost")

    def end_if_expired(self) -> None:
        """End the handler if the lease could not be renewed for so long that another worker can have the job."""
        passed_s = asyncio.get_running_loop().time() - self._leased_at
        if passed_s > self._kind.kind.lease_s * _MARGIN:
            self._end("lost")

    def release(self) -> None:
        """End the handler and return the job to the queue, because the worker stops."""
        self._end("released")

    def _end(self, reason: Literal["lost", "released"]) -> None:
        if self._ends is None:
            self._ends = reason
            if self._handling is not None:
                self._handling.cancel()

    async def _renew(self) -> None:
        asked = asyncio.get_running_loop().time()
        held = self.job.claim in await self._repository.renew([self.renewal()])
        self.renewed(asked, is_held=held)
        if not held:
            raise LeaseLost

    async def _outcome(self) -> str:
        self._handling = asyncio.create_task(self._handle())
        if self._ends is not None:  # it was ended before it began
            self._handling.cancel()
        await asyncio.wait([self._handling])
        error = asyncio.CancelledError() if self._handling.cancelled() else self._handling.exception()
        match error:
            case None:
                return await self._complete()
            case LeaseLost():
                return "lost"
            case asyncio.CancelledError() if self._ends == "lost":
                return "lost"
            case asyncio.CancelledError() if self._ends == "released":
                return self._of(await self._report(lambda: self._repository.release(self.job)), "released")
            case WalletError() if self._lacks_rights(error):
                return await self._pause(error)
            case _:
                return await self._fail(error)

    def _lacks_rights(self, error: WalletError) -> bool:
        """Whether the attempt ended because of what the creator may do now.

        To a key that is restricted to some wallets, a wallet that it does not cover does not exist: it gets a 404.
        """
        if self.job.client_id is None:
            return False
        return isinstance(error, Unauthorized | Forbidden) or (
            error.status == _NOT_FOUND and self._context.is_restricted
        )

    async def _handle(self) -> None:
        with acting_as(self._recorded()):
            if self.job.client_id is not None:
                await self._context.caller()
            async with asyncio.timeout(self._kind.kind.timeout_s):
                await self._kind.handler(self._context)

    def _recorded(self) -> RecordedCaller:
        """The job, as the audit trail names it."""
        job = self.job
        creator = f"client:{job.client_id}" if job.user_id is None else f"user:{job.user_id}"
        return RecordedCaller(
            actor=f"job:{job.job_id}",
            on_behalf_of=None if job.client_id is None else creator,
            client_id=job.client_id,
        )

    async def _complete(self) -> str:
        is_held = await self._report(
            lambda: self._repository.complete(self.job, self._context.result, self._context.done)
        )
        return "succeeded" if is_held else "lost"

    async def _pause(self, error: WalletError) -> str:
        _log.warning("job_paused", reason=error.detail)
        status = await self._report(lambda: self._repository.pause(self.job, error.code, shown(error.detail)))
        return self._of(status, "paused")

    async def _fail(self, error: BaseException) -> str:
        code, detail = _described(error, self._kind.kind.timeout_s)
        pause = None if isinstance(error, JobRefused) else pause_ms(self._kind.kind, self.job.attempt)
        status = await self._report(lambda: self._repository.fail(self.job, code, detail, pause))
        is_expected = isinstance(error, WalletError | JobRefused | TimeoutError)
        log = _log.error if status == "dead" else _log.warning
        log(
            "job_dead" if status == "dead" else "job_failed",
            code=code,
            reason=detail,
            attempt=self.job.attempt,
            pause_ms=pause,
            exc_info=None if is_expected else error,
        )
        return self._of(status, "dead" if status == "dead" else "failed")

    @staticmethod
    def _of(status: str, outcome: str) -> str:
        return "lost" if status == "lost" else outcome

    async def _report(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Store the outcome; while the database is unavailable, attempt it until the lease could have ended."""
        left_s = self._leased_at + self._kind.kind.lease_s - asyncio.get_running_loop().time()
        policy = RetryPolicy(
            is_temporary=lambda error: isinstance(error, WalletError) and error.retryable,
            pause_s=0.1,
            longest_pause_s=_REPORT_S,
            duration_s=max(left_s, 0.0),
        )
        return await policy.run(call)


def _described(error: BaseException, timeout_s: int) -> tuple[str, str]:
    """The code and detail that a reader of the job sees: nothing internal."""
    match error:
        case WalletError() | JobRefused():
            return error.code, shown(error.detail)
        case TimeoutError():
            return "job_timed_out", f"The attempt took longer than {timeout_s} s"
        case _:
            return (
                "internal_error",
                "The attempt failed; the worker's log has the cause under the id of the job",
            )

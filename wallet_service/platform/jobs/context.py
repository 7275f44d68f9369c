"""What the handler of a job works with, and how its creator's rights are checked again."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import simplejson

from wallet_service.core.errors import Unauthorized
from wallet_service.core.room import Permission
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.jobs.repository import Claimed

LARGEST_RESULT_BYTES = 65_536
LONGEST_NOTE = 200


class LeaseLost(Exception):
    """The job was cancelled, or has passed to another worker: the handler must end."""


class JobRefused(Exception):
    """No attempt of the job can succeed: it is dead at once.

    Args:
        code: stable, for programs.
        detail: for people; it is shown to who may see the job.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(slots=True)
class JobContext:
    """A job, for its handler.

    Attributes:
        job: as it was claimed.
        state: of the application: the services of all rooms.
        permission: that the creator must have.
        done: how much is done, as the handler has reported.
        result: for the reader of the job, at most 64 KiB as JSON; stored when the handler returns.
        is_restricted: whether the creator's key is restricted to some wallets, as it was last checked.
    """

    job: Claimed
    state: Any
    permission: Permission | None
    renew: Callable[[], Awaitable[None]]
    done: dict[str, Any] | None = None
    result: dict[str, Any] | None = None
    is_reported: bool = field(default=True)
    is_restricted: bool = field(default=False)

    @property
    def arguments(self) -> dict[str, Any]:
        """As they were enqueued."""
        return self.job.arguments

    def progress(self, done: int, total: int | None = None, note: str | None = None) -> None:
        """Report progress. It is stored with the next heartbeat, within about a second.

        Args:
            done: how many things are done.
            total: how many there are; None if that is not known.
            note: for people, at most 200 characters.
        """
        self.done = {
            "done": done,
            "total": total,
            "note": None if note is None else shown(note[:LONGEST_NOTE]),
        }
        self.is_reported = False

    async def heartbeat(self) -> None:
        """Renew the lease now, and store the progress. The worker does this by itself while the handler waits.

        Raises:
            LeaseLost: the job is no longer this worker's.
        """
        await self.renew()

    def finish_with(self, result: dict[str, Any]) -> None:
        """Set the result.

        Raises:
            ValueError: it is larger than 64 KiB, or has a text that PostgreSQL can't store.
        """
        if not _is_storable(result):
            raise ValueError("the result has a text with U+0000 or half of a surrogate pair")
        if len(simplejson.dumps(result, use_decimal=True).encode()) > LARGEST_RESULT_BYTES:
            raise ValueError(
                "the result of a job has at most 64 KiB: store more in a file, and name the file"
            )
        self.result = result

    def idempotency_key(self, step: str = "") -> str:
        """The idempotency key of what the job moves, the same in every attempt; a job with several steps names each."""
        return f"job:{self.job.job_id}{':' if step else ''}{step}"

    async def caller(self) -> Principal:
        """The creator with the rights that it has now: to be called again before each step that uses them.

        Raises:
            Unauthorized: its key was revoked or has expired, or such callers are no longer accepted. The job is paused.
            Forbidden: it has lost the permission, or may no longer act. The job is paused.
            Unavailable: its rights can't be checked now.
        """
        job = self.job
        if job.client_id is None:
            raise Unauthorized("The job has no creator: it belongs to the service")
        caller: Principal = await self.state.auth.present(job.client_id, job.key_id, job.user_id)
        self.is_restricted = caller.restriction is not None and caller.restriction.is_of_wallets
        if self.permission is not None:
            caller.require(self.permission)
        for check in self.state.caller_checks:
            await check(self.state, caller)
        if job.organization_id is not None:
            access = self.state.membership.of_caller(caller.user_id, caller.restriction)
            await access.check_organization(job.organization_id)
        return caller


def shown(text: str) -> str:
    """A text as a reader of the job sees it: without characters that PostgreSQL can't store, or a terminal would run.

    One job's note must not keep a worker from renewing the leases of its other jobs, which go in the same call.
    """
    return "".join(each if each.isprintable() or each == "\n" else "?" for each in text)


def _is_storable(value: object) -> bool:
    match value:
        case str():
            return "\x00" not in value and not any("\ud800" <= each <= "\udfff" for each in value)
        case dict():
            members = cast("dict[object, object]", value)
            return all(_is_storable(each) for pair in members.items() for each in pair)
        case list() | tuple():
            return all(map(_is_storable, cast("list[object]", value)))
        case _:
            return True


def creator_of(caller: Principal, organization_id: str | None = None) -> dict[str, str]:
    """What a job stores of its creator, as ``platform.enqueue_job`` takes it.

    Args:
        caller: of the request.
        organization_id: for which the caller acts, if for one: the membership is checked again at each attempt.
    """
    members = {
        "client_id": caller.client_id,
        "key_id": caller.key_id,
        "user_id": caller.user_id,
        "organization_id": organization_id,
    }
    return {name: value for name, value in members.items() if value is not None}

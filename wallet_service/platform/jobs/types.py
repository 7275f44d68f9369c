"""The types of jobs that the rooms declare."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wallet_service.core.room import JobType, Permission, Room
from wallet_service.core.settings import Settings
from wallet_service.platform.jobs.cron import next_tick

if TYPE_CHECKING:
    from wallet_service.platform.jobs.context import JobContext

Handler = Callable[["JobContext"], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class RunnableType:
    """A type that this process can run.

    Attributes:
        kind: as it was declared.
        handler: runs a job.
        permission: that the creator of a job must have; None: any creator.
        scheduled: whether its schedule applies with the settings.
    """

    kind: JobType
    handler: Handler
    permission: Permission | None
    scheduled: bool


def runnable_types(rooms: Sequence[Room], settings: Settings) -> Mapping[str, RunnableType]:
    """The types of all rooms, by their names.

    Raises:
        ValueError: a name is declared twice, or a permission by no room.
        CronInvalid: a schedule is none, or never comes.
    """
    permissions = {each.name: each for room in rooms for each in room.permissions}
    found: dict[str, RunnableType] = {}
    for room in rooms:
        for kind in room.jobs:
            if kind.name in found:
                raise ValueError(f"two rooms declare jobs of the type {kind.name}")
            if kind.permission is not None and kind.permission not in permissions:
                raise ValueError(f"no room declares the permission {kind.permission} of the jobs {kind.name}")
            if kind.schedule is not None:
                next_tick(kind.schedule, datetime(2026, 1, 1, tzinfo=UTC))
            found[kind.name] = RunnableType(
                kind,
                room.load(kind.handler),
                None if kind.permission is None else permissions[kind.permission],
                kind.schedule is not None and (kind.is_on is None or kind.is_on(settings)),
            )
    return found

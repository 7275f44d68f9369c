"""Schedules: cron expressions of five fields, in UTC."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

_FIELDS = 5


class CronInvalid(ValueError):
    """The expression is not one, or names a moment that never comes. The message has both."""


@dataclass(frozen=True, slots=True)
class Ticks:
    """What a schedule has to catch up with.

    Attributes:
        due: the moments for which jobs are to be created, in order.
        following: the first moment in the future.
        skipped: whether there were earlier ones, for which no job is created.
    """

    due: Sequence[datetime]
    following: datetime
    skipped: bool


def next_tick(expression: str, after: datetime) -> datetime:
    """The first tick after a moment.

    Raises:
        CronInvalid: the expression has not five fields, or never comes true, as on 30 February.
    """
    return _first(expression, after)


def ticks(expression: str, following: datetime, now: datetime, most: int) -> Ticks:
    """The ticks from ``following``, the next one that was planned, to now: the latest ``most`` of them, in order.

    Raises:
        CronInvalid: as ``next_tick``.
    """
    after = _first(expression, now)
    due: list[datetime] = []
    # From now backwards: after a long outage of a frequent schedule there are many more than are wanted. The first one
    # backwards from the next tick is the latest that is not later than now.
    earlier = CronSim(expression, after, reverse=True)
    for moment in earlier:
        if moment < following:
            return Ticks(due[::-1], after, skipped=False)
        if len(due) == most:
            return Ticks(due[::-1], after, skipped=True)
        due.append(moment)
    return Ticks(due[::-1], after, skipped=False)


def _first(expression: str, after: datetime) -> datetime:
    if len(expression.split()) != _FIELDS:
        raise CronInvalid(
            f"{expression!r} should have five fields: minute, hour, day, month, day of the week"
        )
    try:
        found = next(CronSim(expression, after.astimezone(UTC)), None)
    except CronSimError as error:
        raise CronInvalid(f"{expression!r} is no schedule: {error}") from error
    if found is None:
        raise CronInvalid(f"{expression!r} never comes")
    return found

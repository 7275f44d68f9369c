"""How much a meter holds, sends at once, and waits."""

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

MOST_OPERATIONS = 500
"""What the service takes in a batch."""

WhenFull: TypeAlias = Literal["block", "raise"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How much and how long.

    Attributes:
        max_events: held at once, those under way included.
        max_batch: events in a request.
        max_delay_s: how long an event waits for others, at most.
        give_up_after_s: the age at which an event that could not be sent is reported unsent.
        when_full: ``block`` or ``raise``.
        block_timeout_s: how long ``block`` waits for room.
    """

    max_events: int = 10_000
    max_batch: int = MOST_OPERATIONS
    max_delay_s: float = 1.0
    give_up_after_s: float = 300.0
    when_full: WhenFull = "block"
    block_timeout_s: float = 5.0

    def __post_init__(self) -> None:
        if not (self.max_events >= 1 and 1 <= self.max_batch <= MOST_OPERATIONS):
            raise ValueError(f"max_events is 1 or more, max_batch 1 to {MOST_OPERATIONS}")
        if not (self.max_delay_s >= 0 and self.give_up_after_s > 0):
            raise ValueError("max_delay_s is 0 or more, give_up_after_s more than 0")
        if self.when_full not in get_args(WhenFull):
            raise ValueError("when_full is block or raise: no more than that may happen to an event")

    @property
    def room_wait_s(self) -> float:
        """How long to wait for room."""
        return self.block_timeout_s if self.when_full == "block" else 0.0

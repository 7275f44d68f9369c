"""When a failed delivery is attempted again."""

import random
from collections.abc import Sequence
from typing import Final

PAUSES_S: Final[Sequence[int]] = (
    5,
    30,
    2 * 60,
    10 * 60,
    30 * 60,
    3600,
    2 * 3600,
    4 * 3600,
    8 * 3600,
    12 * 3600,
    20 * 3600,
    24 * 3600,
)
"""After each failed attempt; together three days. After the last attempt a delivery is dead."""

LONGEST_RETRY_AFTER_S: Final = 24 * 3600
_JITTER: Final = 0.1


def pause_ms(failures: int, retry_after_s: int | None = None) -> int | None:
    """Milliseconds until the next attempt; None if none follows.

    Args:
        failures: failed attempts in a row, this one included.
        retry_after_s: that the receiver asked to wait. It can make the pause longer, up to a day.
    """
    if failures > len(PAUSES_S):
        return None
    usual_s = PAUSES_S[failures - 1] * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
    return round(max(usual_s, min(retry_after_s or 0, LONGEST_RETRY_AFTER_S)) * 1000)

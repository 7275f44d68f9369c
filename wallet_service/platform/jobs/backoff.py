"""The pause before the next attempt of a job."""

import random
from collections.abc import Callable

from wallet_service.core.room import JobType


def pause_ms(kind: JobType, attempt: int, chance: Callable[[], float] = random.random) -> int | None:
    """Milliseconds until the next attempt; None if there is none, and the job is dead.

    The pause doubles with each attempt up to the longest of the type. A fourth of it is up to chance, so that jobs that
    failed together are not repeated together.

    Args:
        kind: of the job.
        attempt: the number of the attempt that failed, from 1.
        chance: a number from 0 to 1.
    """
    if attempt >= kind.max_attempts:
        return None
    longest_s = min(kind.first_pause_s * 2 ** min(attempt - 1, 30), kind.longest_pause_s)
    return round(longest_s * 1000 * (0.75 + 0.25 * chance()))

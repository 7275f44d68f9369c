"""The size of long searches: small in the suite, larger in ``scripts/soak``.

A test that searches (random programs, storms, many requests through faults) multiplies its size by ``FACTOR`` and has the
mark ``soak``. With a factor above 1 the searches are other ones at each run, and failures are shrunk.
"""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings

FACTOR = int(os.environ.get("WALLET_TEST_SOAK", "1"))
"""1 in the suite."""

SOAKS = FACTOR > 1


def search(examples: int) -> Any:
    """Settings of a search with this number of examples in the suite: the same ones at each run, and no shrinking."""
    return settings(
        max_examples=examples * FACTOR,
        derandomize=not SOAKS,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if SOAKS else [])],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
    )

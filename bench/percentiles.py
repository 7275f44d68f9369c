"""Quantiles of measured times."""

import math
from collections.abc import Sequence


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that is not below ``share`` of them (nearest rank).

    Args:
        values: in any order.
        share: 0 < share < 1, as 0.99.

    Returns:
        The value, or None with too few values: less than one of them lies beyond the share.
    """
    if round(len(values) * (1 - share), 9) < 1:
        return None
    return sorted(values)[math.ceil(round(len(values) * share, 9)) - 1]


def median(values: Sequence[float]) -> float | None:
    """The middle value, or the mean of the middle two; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2

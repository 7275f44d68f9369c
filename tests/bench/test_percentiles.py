import pytest

from bench.percentiles import median, percentile


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50), (0.99, 99), (0.25, 25), (0.001, 1)], ids=["p50", "p99", "p25", "p0.1"]
)
def test_the_nearest_rank_of_one_to_a_hundred(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_a_percentile_needs_a_value_beyond_it() -> None:
    assert percentile(list(range(99)), 0.99) is None
    assert percentile(list(range(100)), 0.99) == 98
    assert percentile(list(range(999)), 0.999) is None
    assert percentile(list(range(1000)), 0.999) == 998
    assert percentile([], 0.5) is None


def test_the_median() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 3, 2]) == 2.5
    assert median([]) is None

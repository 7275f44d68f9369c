import pytest

from bench.window import latencies_us, requests_within


def test_what_lies_within_counts_whole() -> None:
    assert requests_within([(1.0, 2.0), (2.0, 3.0)], 1.0, 3.0) == 2


def test_what_lies_across_an_edge_counts_in_part() -> None:
    spans = [(0.0, 2.0), (2.5, 4.5), (0.0, 10.0)]
    assert requests_within(spans, 1.0, 3.0) == pytest.approx(0.5 + 0.25 + 0.2)


def test_what_lies_outside_does_not_count() -> None:
    assert requests_within([(0.0, 1.0), (3.0, 4.0)], 1.0, 3.0) == 0


def test_bursts_do_not_change_the_rate() -> None:
    """A hundred requests, answered ten at a time each second: ten a second, wherever the window lies."""
    spans = [(float(burst), burst + 1.0) for burst in range(10) for _ in range(10)]
    for start in (2.0, 2.3, 2.9):
        assert requests_within(spans, start, start + 1.5) == pytest.approx(15)


def test_latencies_are_of_the_answers_within() -> None:
    assert latencies_us([(0.0, 1.5), (1.0, 2.5), (2.0, 3.5)], 1.0, 3.0) == [1_500_000, 1_500_000]

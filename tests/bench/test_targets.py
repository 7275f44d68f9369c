import pytest

from bench.plan import ROWS
from bench.results import Result, Results
from bench.targets import TARGETS, Target


def results(**per_s: float) -> Results:
    found = Results()
    for key, value in per_s.items():
        found.rows[key] = Result(key=key, title=key, rounds=[value])
    return found


def target(name: str) -> Target:
    return next(each for each in TARGETS if each.name == name)


@pytest.mark.parametrize(
    ("name", "required"),
    [
        ("kernel_batch / floor", 0.9),
        ("kernel_batch_hot / kernel_batch", 0.9),
        ("kernel_single / floor", 0.15),
        ("http_consume / http_empty", 0.5),
        ("http_hot_consume / http_consume", 0.9),
        ("http_batch / http_consume, operations", 3.0),
        ("http_balance / http_empty", 0.65),
        ("kernel_batch_many_rows / kernel_batch_few_rows", 0.8),
        ("http_locked_others / http_locked_none", 0.8),
        ("http_production_consume / http_consume", 0.9),
        ("client_library / client_httpx", 0.8),
        ("http_traced_consume / http_consume", 0.9),
        ("http_hostile_consume / http_consume", 0.9),
        ("http_list_many_rows / http_list_few_rows", 0.9),
    ],
)
def test_a_ratio_passes_from_its_bound_on(name: str, required: float) -> None:
    above, below = name.partition(",")[0].split(" / ")
    assert {above, below} <= {row.key for row in ROWS}
    for factor, outcome in ((1.0, "pass"), (0.999, "miss")):
        found = results(**{above: 1000 * required * factor, below: 1000})
        assert target(name).measured(found) == pytest.approx(required * factor)
        assert target(name).outcome(found) == outcome


def test_the_median_round_counts() -> None:
    found = results(http_consume=0, http_empty=100)
    found.rows["http_consume"].rounds = [1, 50, 99]
    assert target("http_consume / http_empty").measured(found) == 0.5
    assert found.rows["http_consume"].spread == 98 / 50


def test_latency_of_one_connection() -> None:
    latencies = {"http_consume_serial": 130, "http_empty_serial": 40, "kernel_single_serial": 60}
    found = results(**dict.fromkeys(latencies, 1))
    for key, latency in latencies.items():
        found.rows[key].closed_us = [latency]
    added = target("p50 with 1 connection: http_consume / (http_empty + kernel_single)")
    assert added.measured(found) == 1.3
    assert added.outcome(found) == "pass"
    found.rows["http_consume_serial"].closed_us = [131]
    assert added.outcome(found) == "miss"


def test_over_rest_the_better_of_both_others_counts() -> None:
    over_rest = target("rest_group_commit / the better of rest_supabase_py and rest_driver")

    def found(**others: float) -> Results:
        return results(rest_group_commit=1000, **others)

    assert over_rest.measured(found(rest_supabase_py=100, rest_driver=200)) == 5
    assert over_rest.outcome(found(rest_supabase_py=100, rest_driver=200)) == "pass"
    assert over_rest.outcome(found(rest_supabase_py=201, rest_driver=100)) == "miss"
    assert over_rest.outcome(found(rest_supabase_py=100)) == "not measured"


def test_memory() -> None:
    found = Results(peak_rss_bytes=200_000_000)
    assert target("peak memory of the service, MB").outcome(found) == "pass"
    found.peak_rss_bytes = 200_000_001
    assert target("peak memory of the service, MB").outcome(found) == "miss"


def test_what_was_not_measured_is_neither() -> None:
    assert {each.outcome(Results()) for each in TARGETS} == {"not measured"}
    failed = results(http_consume=1, http_empty=1)
    failed.rows["http_consume"].error = "why"
    assert target("http_consume / http_empty").outcome(failed) == "not measured"
    assert failed.failed == {"http_consume": "why"}

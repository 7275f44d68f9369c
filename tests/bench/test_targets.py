import pytest

from bench.results import Result, Results
from bench.targets import TARGETS, Target


def results(**per_s: float) -> Results:
    found = Results()
    for name, value in per_s.items():
        key = name.replace("_", " ")
        found.rows[key] = Result(key=key, title=key, rounds=[value])
    return found


def target(name: str) -> Target:
    return next(each for each in TARGETS if each.name == name)


@pytest.mark.parametrize(
    ("name", "above", "below", "required"),
    [
        ("d / a", "d", "a", 0.9),
        ("d hot / d", "d hot", "d", 0.9),
        ("c / a", "c", "a", 0.15),
        ("f / e", "f", "e", 0.5),
        ("g / f", "g", "f", 0.9),
        ("i / f, operations", "i", "f", 3.0),
        ("j / e", "j", "e", 0.65),
        ("d many rows / d few rows", "d large", "d small", 0.8),
        ("n held / n none held", "n", "n base", 0.8),
        ("u / f", "u", "f", 0.9),
        ("w / v", "w", "v", 0.8),
        ("x / f", "x", "f", 0.9),
        ("k many rows / k few rows", "k large", "k small", 0.9),
    ],
)
def test_a_ratio_passes_from_its_bound_on(name: str, above: str, below: str, required: float) -> None:
    for factor, outcome in ((1.0, "pass"), (0.999, "miss")):
        found = results(**{above.replace(" ", "_"): 1000 * required * factor, below.replace(" ", "_"): 1000})
        assert target(name).measured(found) == pytest.approx(required * factor)
        assert target(name).outcome(found) == outcome


def test_the_median_round_counts() -> None:
    found = results(f=0, e=100)
    found.rows["f"].rounds = [1, 50, 99]
    assert target("f / e").measured(found) == 0.5
    assert found.rows["f"].spread == 98 / 50


def test_latency_of_one_connection() -> None:
    found = results(f_1=1, e_1=1, c_1=1)
    for key, latency in (("f 1", 130), ("e 1", 40), ("c 1", 60)):
        found.rows[key].closed_us = [latency]
    assert target("p50 with 1 connection: f / (e + c)").measured(found) == 1.3
    assert target("p50 with 1 connection: f / (e + c)").outcome(found) == "pass"
    found.rows["f 1"].closed_us = [131]
    assert target("p50 with 1 connection: f / (e + c)").outcome(found) == "miss"


def test_over_rest_the_better_of_both_others_counts() -> None:
    over_rest = target("s / the better of q and t")
    assert over_rest.measured(results(s=1000, q=100, t=200)) == 5
    assert over_rest.outcome(results(s=1000, q=100, t=200)) == "pass"
    assert over_rest.outcome(results(s=1000, q=201, t=100)) == "miss"
    assert over_rest.outcome(results(s=1000, q=100)) == "not measured"


def test_memory() -> None:
    found = Results(peak_rss_bytes=200_000_000)
    assert target("peak memory of the service, MB").outcome(found) == "pass"
    found.peak_rss_bytes = 200_000_001
    assert target("peak memory of the service, MB").outcome(found) == "miss"


def test_what_was_not_measured_is_neither() -> None:
    assert {each.outcome(Results()) for each in TARGETS} == {"not measured"}
    failed = results(f=1, e=1)
    failed.rows["f"].error = "why"
    assert target("f / e").outcome(failed) == "not measured"
    assert failed.failed == {"f": "why"}

"""Which instance comes next."""

from collections import Counter

from wallet_service.platform.upstreams.instances import Instances

A, B, C = "http://a:1", "http://b:1", "http://c:1"
SET_ASIDE_S = 10


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def instances(*urls: str, configured: str | None = None, local: str | None = None) -> tuple[Instances, Clock]:
    clock = Clock()
    made = Instances(configured, local, SET_ASIDE_S, clock)
    made.found(urls)
    return made, clock


def picked(made: Instances, times: int = 6) -> Counter[str | None]:
    return Counter(made.pick() for _ in range(times))


def test_each_in_turn() -> None:
    made, _ = instances(A, B, C)
    assert picked(made) == {A: 2, B: 2, C: 2}


def test_callers_do_not_all_begin_with_the_same_one() -> None:
    assert {instances(A, B, C)[0].pick() for _ in range(200)} == {A, B, C}


def test_one_that_failed_is_left_out_for_a_while() -> None:
    made, clock = instances(A, B, C)
    made.failed(B)
    assert picked(made) == {A: 3, C: 3}
    clock.now += SET_ASIDE_S
    assert picked(made) == {A: 2, B: 2, C: 2}


def test_when_all_failed_the_configured_url_goes_before_them() -> None:
    made, _ = instances(A, B, configured=C)
    for url in (A, B):
        made.failed(url)
    assert picked(made) == {C: 6}


def test_when_all_failed_and_nothing_is_configured_the_one_that_rested_longest_is_tried() -> None:
    made, clock = instances(A, B, local=C)
    made.failed(B)
    clock.now += 1
    made.failed(A)
    assert picked(made) == {B: 6}
    made.failed(B)
    assert made.pick() == A


def test_an_old_list_beats_none() -> None:
    made, _ = instances(A, B, configured=C)
    made.found([])
    assert picked(made) == {A: 3, B: 3}
    made.found([B])
    assert picked(made) == {B: 6}


def test_one_that_went_and_came_back_is_no_longer_set_aside() -> None:
    made, _ = instances(A, B)
    made.failed(A)
    made.found([B])
    made.found([A, B])
    assert picked(made) == {A: 3, B: 3}


def test_one_that_stays_stays_set_aside() -> None:
    made, _ = instances(A, B)
    made.failed(A)
    made.found([A, B, C])
    assert picked(made) == {B: 3, C: 3}


def test_without_consul_the_configured_url_then_this_machine_then_none() -> None:
    assert picked(instances(configured=C, local=A)[0]) == {C: 6}
    assert picked(instances(local=A)[0]) == {A: 6}
    assert picked(instances()[0]) == {None: 6}


def test_the_configured_url_is_set_aside_too() -> None:
    made, clock = instances(A, configured=C)
    made.failed(A)
    assert picked(made) == {C: 6}
    clock.now += 1
    made.failed(C)
    assert picked(made) == {A: 6}, "it rested longer"
    made.found([A, B])
    made.failed(B)
    assert picked(made) == {A: 6}, "a new list of Consul says nothing about the configured one"
    clock.now += SET_ASIDE_S - 1
    made.failed(A)
    clock.now += 1
    made.failed(B)
    assert picked(made) == {C: 6}, "it is tried again"


def test_one_that_is_alone_is_tried_whatever_it_did() -> None:
    made, _ = instances(configured=C, local=A)
    made.failed(C)
    assert made.pick() == C

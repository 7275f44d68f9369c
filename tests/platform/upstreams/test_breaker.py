import pytest

from wallet_service.platform.upstreams import breaker as module
from wallet_service.platform.upstreams.breaker import FAILURES, PAUSE_S, Breaker, Breakers, Resource

ANN, BOB = Resource("members", "/members/ann"), Resource("members", "/members/bob")
OTHER = Resource("organizations", "/organizations/1")


class Seconds:
    value = 1000.0

    def __call__(self) -> float:
        return self.value


def opened(clock: Seconds) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_it_opens_after_failures_in_a_row() -> None:
    clock = Seconds()
    breaker = Breaker(clock)
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert breaker.allows()
    breaker.succeeded()
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert (breaker.is_open, breaker.allows()) == (False, True)
    breaker.failed()
    assert (breaker.is_open, breaker.allows()) == (True, False)


def test_while_open_one_attempt_a_pause_is_let_through() -> None:
    clock = Seconds()
    breaker = opened(clock)
    clock.value += PAUSE_S - 0.1
    assert (breaker.allows(), breaker.is_paused) == (False, True)
    for _ in range(3):  # also when nobody says what became of the attempt: its caller went away
        clock.value += PAUSE_S
        assert not breaker.is_paused
        assert [breaker.allows() for _ in range(3)] == [True, False, False]
    assert breaker.is_open


def test_an_attempt_that_fails_starts_another_pause() -> None:
    clock = Seconds()
    breaker = opened(clock)
    clock.value += PAUSE_S
    assert breaker.allows()
    clock.value += PAUSE_S - 1
    breaker.failed()
    clock.value += PAUSE_S - 1
    assert not breaker.allows()
    clock.value += 1
    assert breaker.allows()


def test_the_first_that_succeeds_closes_it() -> None:
    clock = Seconds()
    breaker = opened(clock)
    clock.value += PAUSE_S
    assert breaker.allows()
    breaker.succeeded()
    assert (breaker.is_open, breaker.allows()) == (False, True)
    for _ in range(FAILURES - 1):
        breaker.failed()
    assert breaker.allows()


def test_a_route_that_fails_stops_its_paths_and_no_other_route() -> None:
    breakers = Breakers(Seconds())
    paths = [Resource("members", f"/members/{number}") for number in range(FAILURES)]
    opened = []
    for path in paths:
        opened.append(breakers.failed(path))
        breakers.succeeded(OTHER)
    assert opened == [None] * (FAILURES - 1) + ["route"]
    assert not breakers.allows(ANN)
    assert breakers.allows(OTHER)
    assert breakers.is_open


def test_a_path_that_fails_alone_is_stopped_alone() -> None:
    clock = Seconds()
    breakers = Breakers(clock)
    opened = []
    for _ in range(FAILURES):
        opened.append(breakers.failed(ANN))
        breakers.succeeded(BOB)
    assert opened == [None] * (FAILURES - 1) + ["path"]
    assert [breakers.allows(ANN) for _ in range(2)] == [False, False]
    assert breakers.allows(BOB)
    assert not breakers.is_open, "the service answers"
    clock.value += PAUSE_S
    assert [breakers.allows(ANN) for _ in range(2)] == [True, False]
    assert breakers.succeeded(ANN)
    assert breakers.allows(ANN)


def test_one_attempt_a_pause_is_for_the_route_and_not_spent_on_a_path_that_is_stopped() -> None:
    clock = Seconds()
    breakers = Breakers(clock)
    for _ in range(FAILURES):
        breakers.failed(ANN)
    clock.value += PAUSE_S - 1
    breakers.failed(ANN)  # an attempt that began before
    clock.value += 1
    breakers.failed(BOB)
    clock.value += PAUSE_S - 1
    assert not breakers.allows(ANN), "the route is paused"
    clock.value += 1
    assert breakers.allows(BOB)
    assert breakers.succeeded(BOB)
    assert breakers.allows(ANN), "its own pause is over"


def test_a_path_that_answers_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PATHS", 2)
    breakers = Breakers(Seconds())
    for number in range(100):
        path = Resource("members", f"/members/{number}")
        breakers.failed(path)
        if number % 2:
            breakers.succeeded(path)
    assert len(breakers._paths) <= 2

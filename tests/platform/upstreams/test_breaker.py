from wallet_service.platform.upstreams.breaker import FAILURES, PAUSE_S, Breaker


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

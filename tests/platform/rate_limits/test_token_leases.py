"""What a caller may spend: exactly the limit in each window, whoever lends it and whatever the clock shows."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.polling import wait_until

from wallet_service.platform.rate_limits.metrics import RateLimitMetrics
from wallet_service.platform.rate_limits.problems import RateLimited
from wallet_service.platform.rate_limits.token_leases import Quota, SharedCountUnavailable, TokenLeases

START = 1_790_000_000.0
ANN = "ann"


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


class MemoryCount:
    """Counts as Redis does, for all instances that were given it; it can be away, and lose what it knew."""

    def __init__(self) -> None:
        self.is_unavailable = False
        self.taken: Counter[str] = Counter()
        self.calls = 0
        self.open = asyncio.Event()
        self.open.set()

    async def take(self, key: str, tokens: int, expiry_s: int) -> int:
        del expiry_s
        self.calls += 1
        await self.open.wait()
        await asyncio.sleep(0)
        if self.is_unavailable:
            raise SharedCountUnavailable
        self.taken[key] += tokens
        return self.taken[key]


class Instances:
    """Instances of the service under one clock, each of which can be ahead of it."""

    def __init__(
        self, count: int, tokens: int, window_s: int, *, shared: bool = True, deny: bool = False
    ) -> None:
        self.clock = Clock()
        self.shared_count = MemoryCount()
        self.metrics = RateLimitMetrics()
        self.quota = Quota("client", tokens, window_s)
        self.skews = [0.0] * count
        self.all = [
            TokenLeases(
                self.quota,
                self.metrics,
                self.shared_count if shared else None,
                deny_when_unavailable=deny,
                clock=lambda at=place: self.clock.now + self.skews[at],
            )
            for place in range(count)
        ]
        self.spent: list[tuple[int, float, int, int]] = []
        """Instance, moment, number of the window, tokens."""

    async def ask(self, place: int, cost: int, name: str = ANN) -> bool:
        try:
            await self.all[place].spend(name, cost)
        except RateLimited:
            return False
        number = self.all[place]._leases[name].number
        self.spent.append((place, self.clock.now, number, min(cost, self.quota.tokens)))
        return True

    async def settled(self) -> None:
        """Return when no instance waits for the shared count."""
        await wait_until(lambda: not any(each._calls for each in self.all))

    def of_windows(self) -> Counter[int]:
        sums: Counter[int] = Counter()
        for _, _, number, cost in self.spent:
            sums[number] += cost
        return sums

    def most_in_any_stretch(self) -> int:
        """What was spent within the length of one window, wherever it is laid."""
        return max(
            (
                sum(cost for _, at, _, cost in self.spent if start <= at < start + self.quota.window_s)
                for _, start, _, _ in self.spent
            ),
            default=0,
        )


pauses = st.one_of(st.just(0.0), st.floats(0, 3), st.floats(0, 40))
steps = st.tuples(pauses, st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12)), max_size=6))
programs = st.lists(steps, max_size=25)


async def run(instances: Instances, program: Sequence[tuple[float, list[tuple[int, int]]]]) -> None:
    for pause, requests in program:
        instances.clock.now += pause
        await asyncio.gather(*(instances.ask(place, cost) for place, cost in requests))


@given(programs, st.integers(1, 60), st.integers(1, 20), st.lists(st.floats(0, 2), min_size=3, max_size=3))
async def test_instances_together_never_spend_more_than_the_limit_in_a_window(
    program: list[tuple[float, list[tuple[int, int]]]], tokens: int, window_s: int, skews: list[float]
) -> None:
    instances = Instances(3, tokens, window_s)
    instances.skews = skews
    await run(instances, program)
    await instances.settled()
    assert all(spent <= tokens for spent in instances.of_windows().values())
    if not any(skews):
        assert instances.most_in_any_stretch() <= 2 * tokens


@given(programs, st.integers(1, 60), st.integers(1, 20), st.booleans())
async def test_an_instance_on_its_own_refuses_only_what_would_pass_the_limit(
    program: list[tuple[float, list[tuple[int, int]]]], tokens: int, window_s: int, shared: bool
) -> None:
    instances = Instances(1, tokens, window_s, shared=shared)
    spent: Counter[int] = Counter()
    for pause, requests in program:
        instances.clock.now += pause
        for _, cost in requests:
            number = instances.all[0]._lease(ANN, instances.clock.now).number
            fits = spent[number] + min(cost, tokens) <= tokens
            assert await instances.ask(0, cost) is fits
            spent[number] += min(cost, tokens) if fits else 0
    await instances.settled()
    assert spent == instances.of_windows()


@given(
    st.lists(st.tuples(steps, st.booleans()), max_size=25),
    st.integers(1, 60),
    st.integers(1, 20),
    st.booleans(),
)
async def test_while_the_lender_is_unavailable_each_instance_keeps_the_limit(
    program: list[tuple[tuple[float, list[tuple[int, int]]], bool]], tokens: int, window_s: int, deny: bool
) -> None:
    instances = Instances(3, tokens, window_s, deny=deny)
    for step, away in program:
        instances.shared_count.is_unavailable = away
        await run(instances, [step])
    await instances.settled()
    each: dict[tuple[int, int], int] = defaultdict(int)
    for place, _, number, cost in instances.spent:
        each[place, number] += cost
    assert all(spent <= tokens for spent in each.values())
    if deny:
        assert all(spent <= tokens for spent in instances.of_windows().values())


async def test_a_clock_set_back_a_little_opens_no_new_window() -> None:
    instances = Instances(1, 5, 10, shared=False)
    ends = instances.all[0]._lease(ANN, START).ends
    instances.clock.now = ends + 0.5
    assert await instances.ask(0, 5)
    instances.clock.now = ends - 0.5
    assert not await instances.ask(0, 1)
    instances.clock.now = ends + 10
    assert await instances.ask(0, 5)


async def test_a_clock_set_far_back_does_not_stop_a_caller_for_long() -> None:
    instances = Instances(1, 5, 10, shared=False)
    assert await instances.ask(0, 5)
    instances.clock.now -= 3600
    assert await instances.ask(0, 5)


async def test_the_refusal_says_what_when_and_whose() -> None:
    instances = Instances(1, 5, 60, shared=False)
    share = instances.all[0]._lease(ANN, START)
    instances.clock.now = share.ends - 30.2
    await instances.ask(0, 4)
    with pytest.raises(RateLimited) as refused:
        await instances.all[0].spend(ANN, 2)
    assert refused.value.retry_after_s == 31
    assert refused.value.facts == {"scope": "client", "limit": 5, "window_s": 60}
    assert instances.all[0].status(ANN) == (1, 31)
    assert await instances.ask(0, 1)


async def test_retry_after_is_never_0() -> None:
    instances = Instances(1, 1, 1, shared=False)
    instances.clock.now = instances.all[0]._lease(ANN, START).ends - 0.000001
    await instances.ask(0, 1)
    with pytest.raises(RateLimited) as refused:
        await instances.all[0].spend(ANN, 1)
    assert refused.value.retry_after_s == 1


async def test_callers_have_limits_of_their_own_and_windows_at_other_moments() -> None:
    instances = Instances(1, 1, 600, shared=False)
    names = [f"client-{number}" for number in range(20)]
    assert all([await instances.ask(0, 1, name) for name in names])
    assert len({instances.all[0]._leases[name].ends for name in names}) > 10


async def test_callers_of_the_past_are_forgotten() -> None:
    instances = Instances(1, 1, 10, shared=False)
    for number in range(1000):
        instances.clock.now += 1
        await instances.ask(0, 1, f"client-{number}")
    assert len(instances.all[0]) <= 20


async def test_a_warm_caller_never_waits_for_the_lender() -> None:
    """Ten windows of steady work at 90 % of the limit: only the very first request waits."""
    instances = Instances(1, 1000, 60)
    for _ in range(9000):
        instances.clock.now += 60 / 900
        assert await instances.ask(0, 1)
        await instances.settled()
    assert instances.metrics.waits._value.get() == 1
    assert instances.shared_count.calls < 9000 / 8


async def test_one_loan_serves_all_who_wait() -> None:
    instances = Instances(1, 1000, 60)
    instances.shared_count.open.clear()
    waiting = [asyncio.create_task(instances.ask(0, 10)) for _ in range(50)]
    await wait_until(lambda: instances.metrics.waits._value.get() == 50)
    instances.shared_count.open.set()
    assert all(await asyncio.gather(*waiting))
    assert (
        instances.shared_count.calls <= 2 + 1
    )  # the first was asked by one alone; the last is for those who come


async def test_a_caller_that_disconnects_does_not_take_the_lease_along() -> None:
    instances = Instances(1, 10, 60)
    instances.shared_count.open.clear()
    first, second = (asyncio.create_task(instances.ask(0, 1)) for _ in range(2))
    await wait_until(lambda: instances.metrics.waits._value.get() == 2)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    instances.shared_count.open.set()
    assert await second
    assert instances.of_windows().total() == 1


async def test_an_instance_hands_out_nothing_that_another_took() -> None:
    instances = Instances(2, 160, 3600)
    assert await instances.ask(0, 1)
    await instances.settled()
    held = instances.all[0]._leases[ANN].left
    granted = 0
    while await instances.ask(1, 1):
        granted += 1
    assert 0 < held < 160 / 8
    assert granted == 160 - 1 - held
    assert instances.all[1].status(ANN)[0] == 0
    while await instances.ask(0, 1):
        granted += 1
    assert granted == 160 - 1


@pytest.mark.parametrize("heard", [True, False])
async def test_a_large_request_that_is_refused_leaves_the_limit_to_the_others(*, heard: bool) -> None:
    """Whether the instance knows what is left, or finds out by borrowing."""
    instances = Instances(2, 1600, 3600)
    if not heard:
        assert await instances.ask(0, 1)
    granted = 0
    for _ in range(400):
        granted += await instances.ask(1, 1)
    if heard:
        assert await instances.ask(0, 1)
    await instances.settled()
    assert not await instances.ask(0, 1500)
    await instances.settled()
    assert instances.all[0]._leases[ANN].left <= 1600 / 16
    while await instances.ask(1, 1):
        granted += 1
        await instances.settled()
    assert granted >= 1600 * 0.9
    assert granted + 1 + instances.all[0]._leases[ANN].left <= 1600


async def test_what_cannot_be_counted_is_refused_when_configured_and_retried_soon() -> None:
    instances = Instances(1, 10, 3600, deny=True)
    instances.shared_count.is_unavailable = True
    with pytest.raises(RateLimited, match="can't be counted now") as refused:
        await instances.all[0].spend(ANN, 1)
    assert refused.value.retry_after_s == 1
    instances.shared_count.is_unavailable = False
    assert await instances.ask(0, 1)


async def test_closing_ends_the_loans() -> None:
    instances = Instances(1, 10, 60)
    instances.shared_count.open.clear()
    waiting = asyncio.create_task(instances.ask(0, 1))
    await wait_until(lambda: instances.shared_count.calls == 1)
    await instances.all[0].close()
    with pytest.raises(asyncio.CancelledError):
        await waiting

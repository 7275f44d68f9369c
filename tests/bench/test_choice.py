import random
from collections import Counter

from bench.choice import Hot, Uniform, Zipf

DRAWS = 100_000


def test_zipf_gives_number_k_one_part_in_k() -> None:
    count = 1000
    choice = Zipf(count, source=random.Random(1))  # noqa: S311 - the same draws each time
    drawn = Counter(choice.draw() for _ in range(DRAWS))
    total = sum(1 / rank for rank in range(1, count + 1))
    for number in (0, 1, 3, 9):
        expected = DRAWS / (number + 1) / total
        assert abs(drawn[number] - expected) < 5 * expected**0.5
    assert min(drawn) == 0
    assert max(drawn) < count


def test_uniform_draws_each_as_often() -> None:
    choice = Uniform(10, first=5, source=random.Random(1))  # noqa: S311 - the same draws each time
    drawn = Counter(choice.draw() for _ in range(DRAWS))
    assert sorted(drawn) == list(range(5, 15))
    assert max(drawn.values()) - min(drawn.values()) < 1000


def test_hot_draws_one() -> None:
    assert {Hot(7).draw() for _ in range(10)} == {7}

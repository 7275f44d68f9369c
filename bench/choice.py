"""Which wallet a request is about."""

import bisect
import itertools
import random
from abc import ABC, abstractmethod


class Choice(ABC):
    """Draws numbers of wallets, from 0."""

    @abstractmethod
    def draw(self) -> int:
        """The next one."""


class Uniform(Choice):
    """Each of ``count`` is as likely as the next."""

    def __init__(self, count: int, *, first: int = 0, source: random.Random | None = None) -> None:
        self._count = count
        self._first = first
        self._random = (source or random.Random()).random  # noqa: S311 - draws a load, keeps no secret

    def draw(self) -> int:
        """The next one."""
        return self._first + int(self._random() * self._count)


class Zipf(Choice):
    """Number k is drawn with a weight of 1 / (k + 1): few wallets take most of the load."""

    def __init__(self, count: int, *, source: random.Random | None = None) -> None:
        self._sums = list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))
        self._random = (source or random.Random()).random  # noqa: S311 - draws a load, keeps no secret

    def draw(self) -> int:
        """The next one."""
        return bisect.bisect_left(self._sums, self._random() * self._sums[-1])


class Hot(Choice):
    """Always the same one."""

    def __init__(self, wallet: int = 0) -> None:
        self._wallet = wallet

    def draw(self) -> int:
        """The next one."""
        return self._wallet

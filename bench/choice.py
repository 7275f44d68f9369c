"""Chooses the wallet of a request."""

import bisect
import itertools
import random
from abc import ABC, abstractmethod


class Choice(ABC):
    """Draws wallet numbers, from 0."""

    @abstractmethod
    def draw(self) -> int:
        """Return the next number."""


class Uniform(Choice):
    """All ``count`` wallets are equally likely."""

    def __init__(self, count: int, *, first: int = 0, source: random.Random | None = None) -> None:
        self._count = count
        self._first = first
        self._random = (source or random.Random()).random  # noqa: S311 - draws a load, keeps no secret

    def draw(self) -> int:
        """Return the next number."""
        return self._first + int(self._random() * self._count)


class Zipf(Choice):
    """Wallet k has the weight 1 / (k + 1): few wallets get most of the load."""

    def __init__(self, count: int, *, source: random.Random | None = None) -> None:
        self._sums = list(itertools.accumulate(1 / rank for rank in range(1, count + 1)))
        self._random = (source or random.Random()).random  # noqa: S311 - draws a load, keeps no secret

    def draw(self) -> int:
        """Return the next number."""
        return bisect.bisect_left(self._sums, self._random() * self._sums[-1])


class Hot(Choice):
    """Always the same wallet."""

    def __init__(self, wallet: int = 0) -> None:
        self._wallet = wallet

    def draw(self) -> int:
        """Return the next number."""
        return self._wallet

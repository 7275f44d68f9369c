"""The tests of ``scripts/test --fast``: those that start no process, chosen by what each declares."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from .needed_programs import programs_of

OPTION: Final = "--fast"

_TESTS: Final = Path(__file__).parents[1]

_SLOW_MARKERS: Final = ("first", "last", "slow", "soak", "wheel", "mutants", "process")
_SLOW_FIXTURES: Final = frozenset({"own_folder", "initialized_data"})
"""Fixtures of tests that start the service, a command or a server as a process."""


def is_fast(item: pytest.Item, versions: Sequence[int]) -> bool:
    """Whether a test belongs to the inner loop: no other program, no process of its own, not of the whole service.

    Tests of the whole service lie directly in ``tests/``.
    """
    return not (
        item.path.parent == _TESTS
        or programs_of(item, versions)
        or any(item.get_closest_marker(name) for name in _SLOW_MARKERS)
        or _SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ()))
    )

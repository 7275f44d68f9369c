"""The programs of scripts/services that a test needs: by its fixtures, its markers and its parameters.

scripts/test fetches those of the chosen tests. A test that uses another one fails, and so this list is complete.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

FILE: Final = "WALLET_TEST_PROGRAMS"
"""Environment variable with the file to which the names are written after the collection."""

SUPABASE: Final = frozenset({"postgrest", "nginx"})
"""The programs of a Supabase project."""

_FETCHED: Final = 17
"""The version of PostgreSQL that scripts/services fetches."""

_OF_MARKERS: Final = {
    "supabase": SUPABASE,
    "consul": frozenset({"consul"}),
    "redis": frozenset({"redis-server"}),
    "postman": frozenset({"newman"}),
    "typescript": frozenset({"vitest"}),
}
_OF_FIXTURES: Final = {
    "consul_program": frozenset({"consul"}),
    "redis": frozenset({"redis-server"}),
    "newman": frozenset({"newman"}),
    "vitest": frozenset({"vitest"}),
    "compose_programs": SUPABASE | {"docker-compose", "consul", "redis-server", "prometheus"},
}

_declared: frozenset[str] | None = None


def programs_of(item: pytest.Item, versions: Sequence[int]) -> frozenset[str]:
    """The programs that a test may use.

    Args:
        item: the test.
        versions: of PostgreSQL, on which tests run.
    """
    found: set[str] = {name for marker in item.iter_markers("programs") for name in marker.args}
    for name, programs in _OF_MARKERS.items():
        if item.get_closest_marker(name):
            found |= programs
    for name in getattr(item, "fixturenames", ()):
        found |= _OF_FIXTURES.get(name, frozenset())
    callspec = getattr(item, "callspec", None)
    parameters = () if callspec is None else callspec.params.values()
    if any(type(version) is int and version == _FETCHED for version in (*versions, *parameters)):
        found.add(f"postgres-{_FETCHED}")
    return frozenset(found)


def write_needed(items: Sequence[pytest.Item], versions: Sequence[int]) -> None:
    """Write the names for scripts/services, if it has asked."""
    if file := os.environ.get(FILE):
        needed = sorted({name for item in items for name in programs_of(item, versions)})
        Path(file).write_text("".join(f"{name}\n" for name in needed))


def declare(programs: frozenset[str] | None) -> None:
    """Set what the test that runs now may use; None: everything."""
    global _declared  # noqa: PLW0603 - one test runs at a time
    _declared = programs


def check_declared(name: str) -> None:
    """Fail if the test that runs now does not declare the program that it uses."""
    assert _declared is None or name in _declared, (
        f'the test does not declare that it uses {name}: @pytest.mark.programs("{name}"), or support/needed_programs.py'
    )

"""The tables that docs/architecture.md has of hooks and of the database name each of them."""

import re
from dataclasses import fields

from support.language import ROOT

from wallet_service.core.room import Room
from wallet_service.rooms import PACKAGES

PAGE = (ROOT / "docs" / "architecture.md").read_text()
SERVICE = ROOT / "wallet_service"

READ_BY_THE_RUNTIME = {
    "name",
    "module",
    "summary",
    "routers",
    "tags",
    "settings",
    "settings_checks",
    "permissions",
    "problems",
    "request_costs",
    "body_limits",
    "unlimited_paths",
    "lifespan",
    "commands",
    "schema",
}
"""What a room declares for the assembly of the service. Everything else is a hook: a lower room calls it."""

_CHANGED = re.compile(r"^\s*(create|drop) table ([a-z_]+\.[a-z_]+)", re.MULTILINE)


def rows(head: str) -> list[list[str]]:
    """The cells of the table with this first cell in its head."""
    table = PAGE.partition(f"\n| {head} |")[2].partition("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.split("\n")[2:]]


def test_every_hook_is_described() -> None:
    described = [row[0].strip("`") for row in rows("Hook")]
    hooks = {each.name for each in fields(Room)} - READ_BY_THE_RUNTIME
    assert sorted(described) == sorted(hooks)


def test_what_a_hook_names_is_there() -> None:
    for hook, *_, place in rows("Hook"):
        assert (SERVICE / place.strip("`")).is_file(), hook


def test_every_table_of_the_database_is_described_with_its_room() -> None:
    described = {
        name: row[2].strip("`") for row in rows("Table") for name in re.findall(r"`([^`]+)`", row[0])
    }
    assert described == tables()


def tables() -> dict[str, str]:
    """Each table and its room, as the scripts of the rooms leave them."""
    scripts = [
        (package.replace(".", "/"), script)
        for package in PACKAGES
        for script in (SERVICE / package.replace(".", "/") / "sql" / "migrations").glob("*.sql")
    ]
    scripts.sort(key=lambda each: each[1].name)
    scripts.insert(0, ("platform/database", SERVICE / "platform" / "database" / "runner" / "script.sql"))
    found: dict[str, str] = {}
    for room, script in scripts:
        for change, name in _CHANGED.findall(script.read_text()):
            if change == "create":
                found[name] = room
            else:
                del found[name]
    return found

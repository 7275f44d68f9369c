"""Generates tables in docs from the rooms' declarations, between ``<!-- table: name -->`` and ``<!-- end -->``."""

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import typer
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from pydantic_core import PydanticUndefined

from contract.document import ROOT
from wallet_service.core.commands import CommandLine
from wallet_service.core.errors import WalletError
from wallet_service.core.room import Permission, Room
from wallet_service.money.callers import BatchPrincipal, batch_permissions
from wallet_service.money.opening_balances.schemas import ImportLine
from wallet_service.platform.auth.authentication import BearerPrincipal
from wallet_service.platform.auth.permissions import ADMIN
from wallet_service.platform.rate_limits.costs import RequestCosts
from wallet_service.rooms import ROOMS
from wallet_service.runtime.application import create_app
from wallet_service.runtime.configuration import load_settings
from wallet_service.runtime.waits import longest_waits

PAGES = ROOT / "docs"

_SECTION = re.compile(r"(<!-- table: (?P<name>[a-z]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Row = Sequence[str]


def _table(head: Row, rows: Iterable[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in lines) + "\n"
    )


def _place(room: Room) -> str:
    return f"`{'/'.join(room.package.split('.')[1:])}`"


def rooms_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each room, from the highest to the lowest: its folder and its purpose."""
    return _table(("Room", "Purpose"), [(_place(room), room.summary) for room in reversed(rooms)])


def settings_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each setting: variable, default, meaning, room."""
    rows: list[Row] = []
    for room in rooms:
        for name, field in room.settings.model_fields.items() if room.settings else ():
            default = field.default
            if default is PydanticUndefined:
                shown = "user data folder"
            else:
                shown = "not set" if default is None else f"`{str(default).lower()}`"
            variable = room.settings.variable(name) if room.settings else ""
            rows.append((f"`{variable}`", shown, field.description or "", _place(room)))
    return _table(("Name", "Default", "Meaning", "Room"), rows)


def problems_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each problem, by status: code, status, whether to retry, when it happens, room."""
    found = [(error, room) for room in rooms for error in room.problems]
    found.sort(key=lambda each: (each[0].status, each[0].code))
    return _table(
        ("Code", "Status", "Retry", "When", "Room"),
        [
            (
                f"`{error.code}`",
                str(error.status),
                "yes" if error.retryable else "no",
                _first(error),
                _place(room),
            )
            for error, room in found
        ],
    )


def _first(error: type[WalletError]) -> str:
    return (error.__doc__ or "").partition("\n\n")[0].replace("``", "`").replace("\n    ", " ")


def permissions_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each permission: name, meaning, what it includes, whether user tokens have it, room."""
    return _table(
        ("Permission", "Allows", "Includes", "User tokens", "Room"),
        [
            (
                f"`{each.name}`",
                each.summary,
                "all others" if each == ADMIN else ", ".join(f"`{name}`" for name in each.includes),
                "own wallets" if each.is_users else "no",
                _place(room),
            )
            for room in rooms
            for each in room.permissions
        ],
    )


def types_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each type of operation: meaning, default counter accounts, use by user tokens, refunds, room."""
    return _table(
        ("Type", "Meaning", "Counter account", "In mirrored wallets", "User tokens", "Refund", "Room"),
        [
            (
                f"`{each.name}`",
                each.summary,
                _account(each.counter_account, each.form),
                _account(each.mirrored_account, each.form) if each.mirrored else "no",
                {
                    (True, True): "own wallets",
                    (True, False): "own operating wallets",
                    (False, True): "own mirrored wallets",
                    (False, False): "no",
                }[each.users_operating, each.users_mirrored],
                "yes" if each.refundable else "no",
                _place(room),
            )
            for room in rooms
            for each in room.operation_types
        ],
    )


def _account(default: str | None, form: str) -> str:
    fixed = {
        "transfer": "the other wallet",
        "refund": "that of the original",
        "entries": "named by each entry",
        "room": "chosen by its room",
    }
    return fixed.get(form) or f"`{default}`"


def routes_of(room: Room) -> Iterator[APIRoute]:
    """The paths of a room that are in the API's document."""
    for reference in room.routers:
        for route in room.load(reference).routes:
            if isinstance(route, APIRoute) and route.include_in_schema:
                yield route


def permission_of(route: APIRoute) -> str:
    """The permission that a path needs: its name, ``any`` for every valid caller, ``none`` where no key is needed.

    Of several names with ``or`` between them one is enough.
    """
    needed = permissions_of(route)
    if needed is None:
        return "none"
    return " or ".join(f"`{each.name}`" for each in needed) if needed else "any"


def permissions_of(route: APIRoute) -> Sequence[Permission] | None:
    """The permissions of which a caller of a path needs one; empty: every valid caller; None: no key is needed."""
    principals = list(_principals(route.dependant))
    if not principals:
        return None
    return [
        permission
        for each in principals
        for permission in (batch_permissions(ROOMS) if isinstance(each, BatchPrincipal) else each.permissions)
    ]


def _principals(dependant: Any) -> Iterator[BearerPrincipal]:
    if isinstance(dependant.call, BearerPrincipal):
        yield dependant.call
    for each in dependant.dependencies:
        yield from _principals(each)


def paths_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each path: summary, permission, cost in rate-limit tokens (none where no key is needed), room."""
    costs = RequestCosts(rooms)
    rows: list[Row] = []
    for room in reversed(rooms):
        for route in routes_of(room):
            needs_key = permissions_of(route) is not None
            cost = costs.of({"route": route, "headers": []}) if needs_key else 0
            methods = " ".join(sorted(route.methods or ()))
            rows.append(
                (
                    f"`{methods} {route.path}`",
                    route.summary or "",
                    permission_of(route),
                    str(cost),
                    _place(room),
                )
            )
    return _table(("Path", "Summary", "Permission", "Tokens", "Room"), rows)


def commands_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each command that a room adds to the command line: name, meaning, room."""
    rows: list[Row] = []
    for room in rooms:
        if room.commands is not None:
            line = typer.Typer()
            line.callback()(_nothing)  # without one, a single command would have no name
            room.load(room.commands)(CommandLine(line, load_settings, rooms))
            rows += [
                (f"`{name}`", meaning, _place(room)) for name, meaning in _named(typer.main.get_group(line))
            ]
    return _table(("Command", "Meaning", "Room"), rows)


def _nothing() -> None:
    pass


def _named(group: Any, before: str = "") -> Iterator[tuple[str, str]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _named(command, f"{before}{name} ")
        else:
            yield before + name, (command.help or "").partition("\n\n")[0].replace("\n", " ").strip()


def waits_table(rooms: Sequence[Room] = ROOMS) -> str:
    """The longest wait of callers with the default settings: routes, seconds by driver, what happens then."""

    def shown(wait_ms: int | None) -> str:
        return "no limit" if wait_ms is None else f"{wait_ms / 1000:g} s"

    waits = longest_waits(load_settings(rooms), rooms)
    return _table(
        ("Routes", "PostgreSQL", "REST", "Then"),
        [(each.routes, shown(each.postgres_ms), shown(each.supabase_ms), each.meaning) for each in waits],
    )


def jobs_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each type of jobs: name, meaning, schedule, room."""
    return _table(
        ("Type", "What it does", "Schedule", "Room"),
        [
            (f"`{each.name}`", each.summary, f"`{each.schedule}`" if each.schedule else "none", _place(room))
            for room in rooms
            for each in room.jobs
        ],
    )


def metrics_table(metrics: Iterable[tuple[str, str, str]]) -> str:
    """Each metric: name, kind, meaning."""
    return _table(("Metric", "Kind", "Meaning"), [(f"`{name}`", kind, text) for name, kind, text in metrics])


@asynccontextmanager
async def _everything_on(rooms: Sequence[Room]) -> AsyncGenerator[CollectorRegistry]:
    """The registry of an application that has every metric. It calls neither a database nor another service."""
    settings = load_settings(
        rooms,
        RateLimitSettings={"client_tokens": 1},
        MembershipSettings={"verify_users": True},
        DatabaseSettings={"environment": "development"},
    )
    app = create_app(settings, "postgresql://unused@127.0.0.1:1/none", rooms=rooms)
    async with app.router.lifespan_context(app):
        yield app.state.metrics


async def declared_metrics(rooms: Sequence[Room] = ROOMS) -> list[tuple[str, str, str]]:
    """Name, kind and meaning of every metric of this service, in the order of their names."""
    async with _everything_on(rooms) as registry:
        found = {family.name: (family.type, family.documentation) for family in registry.collect()}
    return [
        (f"{name}_total" if kind == "counter" else name, kind, text)
        for name, (kind, text) in sorted(found.items())
        if name.startswith("wallet_")
    ]


def columns_table() -> str:
    """Each column of an import: name, default, meaning."""
    rows: list[Row] = []
    for name, field in ImportLine.model_fields.items():
        required = field.is_required()
        default = "required" if required else "" if field.default is None else f"`{field.default}`"
        rows.append((f"`{name}`", default, field.description or ""))
    return _table(("Column", "Default", "Meaning"), rows)


def events_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each type of events: name, version of its schema, what happened, its data, room."""
    found = sorted(
        ((kind, room) for room in rooms for kind in room.event_types), key=lambda each: each[0].name
    )
    return _table(
        ("Type", "Version", "When", "Data", "Room"),
        [
            (
                f"`{kind.name}`",
                str(kind.version),
                kind.summary,
                f"`{room.load(kind.data).__name__}` before and after"
                if kind.is_change
                else f"`{room.load(kind.data).__name__}`",
                _place(room),
            )
            for kind, room in found
        ],
    )


def audit_table(rooms: Sequence[Room] = ROOMS) -> str:
    """Each action of the audit trail: the changes, and the reads."""
    rows: list[Row] = [
        (f"`{kind.name}`", kind.summary, ", ".join(f"`{name}`" for name in kind.masked), _place(room))
        for room in rooms
        for kind in room.event_types
    ]
    rows += [
        (
            f"`{read.action}`",
            f"A read by {'any caller' if read.by_all else 'a caller with the rights of the operator'}.",
            "",
            _place(room),
        )
        for room in rooms
        for read in room.recorded_reads.values()
    ]
    return _table(("Action", "Recorded", "Masked", "Room"), rows)


TABLES: Mapping[str, Callable[[], str]] = {
    "rooms": rooms_table,
    "settings": settings_table,
    "paths": paths_table,
    "permissions": permissions_table,
    "problems": problems_table,
    "types": types_table,
    "commands": commands_table,
    "jobs": jobs_table,
    "waits": waits_table,
    "columns": columns_table,
    "events": events_table,
    "audit": audit_table,
}
"""Tables by their name in the page. The table ``metrics`` is not here: it needs a running application."""


async def pages() -> dict[str, tuple[str, str]]:
    """Every page with such tables: its present text, and its text with current tables."""
    tables = {name: table() for name, table in TABLES.items()} | {
        "metrics": metrics_table(await declared_metrics())
    }
    found: dict[str, tuple[str, str]] = {}
    for page in sorted(PAGES.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if _SECTION.search(text):
            found[str(page.relative_to(ROOT))] = (
                text,
                _SECTION.sub(lambda match: _filled(match, tables), text),
            )
    return found


def _filled(match: re.Match[str], tables: Mapping[str, str]) -> str:
    return f"{match[1]}\n{tables[match['name']]}\n{match[3]}"

"""The longest time that a caller waits for the beginning of a response, by route and driver, from the settings."""

from collections.abc import Sequence
from dataclasses import dataclass

from wallet_service.core.room import Room
from wallet_service.core.settings import Settings
from wallet_service.platform.database.settings import DatabaseSettings
from wallet_service.platform.web.settings import WebSettings


@dataclass(frozen=True, slots=True)
class Wait:
    """How long callers of some routes wait at most, from the last byte of the request.

    Attributes:
        routes: for the documentation.
        postgres_ms: milliseconds with the PostgreSQL driver; None if there is no limit.
        supabase_ms: the same over the REST API.
        meaning: what happens then, and what comes after the beginning of the response.
    """

    routes: str
    postgres_ms: int | None
    supabase_ms: int | None
    meaning: str


def longest_waits(settings: Settings, rooms: Sequence[Room]) -> Sequence[Wait]:
    """The longest waits with these settings."""
    limit_ms, call_ms = settings[WebSettings].request_timeout_ms, settings[DatabaseSettings].timeout_ms
    ready_ms = min(limit_ms, call_ms)
    unlimited = ", ".join(f"`{path}`" for room in rooms for path in room.unlimited_paths)
    return (
        Wait("`/health/live`", 0, 0, "It waits for nothing."),
        Wait("`/health`, `/health/ready`", ready_ms, ready_ms, "503 `unavailable`."),
        Wait(
            "every other route",
            limit_ms,
            limit_ms,
            "503 `unavailable`. A request that writes may have been done; its idempotency key settles it.",
        ),
        Wait(
            "a history as CSV",
            limit_ms,
            limit_ms,
            f"The same. After the first rows, each {call_ms} ms at most bring more, or the response breaks off.",
        ),
        Wait(
            unlimited,
            None,
            None,
            f"The response follows the last line, and each call of the database takes {call_ms} ms at most.",
        ),
    )

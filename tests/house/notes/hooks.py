"""What the sample room does at requests and postings of other rooms."""

from collections.abc import Sequence
from typing import Any

from wallet_service.core.errors import Forbidden
from wallet_service.core.room import Moved


async def check_caller(state: Any, caller: Any) -> None:
    """Refuse a caller of this name, whatever it asks for."""
    del state
    if caller.client_id == "banned":
        raise Forbidden("The client is banned")


async def check_posting(state: Any, caller: Any, operation: Any) -> None:
    """Refuse an operation with this reference."""
    del state, caller
    if operation.document().get("reference") == "forbidden":
        raise Forbidden("This reference is not allowed")


def count_posting(state: Any, moved: Sequence[Moved]) -> None:
    """Count the debits and the credits of each wallet."""
    state.notes_postings.update(moved)

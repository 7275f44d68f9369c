"""What the events room refuses."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError


class CursorExpired(WalletError):
    """The events after the cursor are no longer all kept. `oldest_cursor` continues with the oldest event that is."""

    code, status, title = "cursor_expired", 410, "Cursor expired"
    details = (
        "The events after this cursor are no longer all kept; {oldest_cursor} continues with the oldest one",
    )
    example_facts: ClassVar[Mapping[str, Any]] = {
        "oldest_cursor": "WyJldmVudHMiLCIyYTVlZDM2YzNjOTk2YzZmIixbMTIwMDBdXQ"
    }

"""Records the calls of a usage meter's callbacks."""

from typing import Any

from wallet_client.meter import Unsent, Usage


class CallbackLog:
    """The keys of all events in the order of the calls, and the unsent events."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.unsent: list[Unsent] = []

    def record_usage(self, usage: Usage, _: Any) -> None:
        self.keys.append(usage.key)

    def record_unsent(self, unsent: Unsent) -> None:
        self.keys.append(unsent.usage.key)
        self.unsent.append(unsent)

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "on_charged": self.record_usage,
            "on_refused": self.record_usage,
            "on_unsent": self.record_unsent,
        }

"""The problems that FakeWallet returns. Codes and statuses are those of the client's errors."""

from typing import Any

from wallet_client._problems import BY_CODE, BY_STATUS

STATUSES: dict[str, int] = {
    code: next(status for status, parent in BY_STATUS.items() if issubclass(error, parent))
    for code, error in BY_CODE.items()
}
"""The status of each code."""


class Refusal(Exception):
    """A request, or one operation of a batch, is refused with a code and the facts of its problem."""

    def __init__(self, code: str, /, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.status = STATUSES[code]
        self.facts = facts

    def document(self) -> dict[str, Any]:
        """The problem document, without what names the request."""
        title = self.code.replace("_", " ").capitalize()
        return {
            "type": f"urn:wallet:problem:{self.code}",
            "title": title,
            "status": self.status,
            "detail": f"{title} (FakeWallet)",
            "code": self.code,
            "retryable": self.status in (408, 429, 503),
            **self.facts,
        }

    def result(self) -> dict[str, Any]:
        """The result of a refused operation of a batch."""
        return {"status": "refused", "problem": self.document()}


class NotInFakeWallet(NotImplementedError):
    """The test needs a part of the service that FakeWallet does not have."""

    def __init__(self, part: str) -> None:
        super().__init__(
            f"FakeWallet has no {part}. It has wallets, movements, refunds and batches. "
            "Run this test on the real service: with the pytest fixture `real_wallet` of "
            "wallet_client.testing.pytest_plugin, or `with RealWallet() as wallet:`"
        )

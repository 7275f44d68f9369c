"""The refusals of the service, as FakeWallet answers them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Kind:
    """What all problems with one code have in common."""

    status: int
    title: str
    retryable: bool = False
    retry_after_s: int | None = None


KINDS: Mapping[str, Kind] = {
    "idempotency_key_conflict": Kind(400, "Header and body name different idempotency keys"),
    "malformed_request": Kind(400, "The request can't be read"),
    "unauthorized": Kind(401, "A valid key or token is needed"),
    "insufficient_funds": Kind(402, "The available balance is too low"),
    "forbidden": Kind(403, "The key or token does not allow this"),
    "not_found": Kind(404, "There is nothing at this path"),
    "transaction_not_found": Kind(404, "There is no such transaction"),
    "wallet_not_found": Kind(404, "There is no such wallet"),
    "method_not_allowed": Kind(405, "This path does not answer to this method"),
    "balance_limit": Kind(409, "The balance would pass the largest that can be kept"),
    "batch_aborted": Kind(409, "Another operation of the atomic batch was refused"),
    "credit_limit_in_use": Kind(409, "The credit limit is in use"),
    "currency_mismatch": Kind(409, "The wallets hold different currencies"),
    "not_refundable": Kind(409, "This transaction can't be refunded"),
    "refund_exceeds": Kind(409, "The refund is more than what is left to refund"),
    "transaction_superseded": Kind(409, "This attempt was already answered"),
    "wallet_closed": Kind(409, "The wallet is closed"),
    "wallet_exists": Kind(409, "The user already has this wallet"),
    "wallet_frozen": Kind(409, "The wallet is frozen"),
    "wallet_not_empty": Kind(409, "The wallet is not empty"),
    "version_mismatch": Kind(412, "The wallet has changed since it was read"),
    "payload_too_large": Kind(413, "The body is too large"),
    "unsupported_media_type": Kind(415, "This content type is not read here"),
    "amount_invalid": Kind(422, "The amount is not a positive decimal number"),
    "amount_precision": Kind(422, "The amount has more decimals than its currency"),
    "currency_unknown": Kind(422, "The currency is unknown"),
    "idempotency_key_reused": Kind(422, "The idempotency key belongs to another request"),
    "organization_unknown": Kind(422, "There is no such organization"),
    "same_wallet": Kind(422, "A transfer needs two different wallets"),
    "user_unknown": Kind(422, "There is no such user"),
    "validation_failed": Kind(422, "Some values are not acceptable"),
    "rate_limited": Kind(429, "Too many requests", retryable=True, retry_after_s=1),
    "internal_error": Kind(500, "The service made a mistake"),
    "neighbour_unavailable": Kind(503, "Another service does not answer", retryable=True, retry_after_s=5),
    "overloaded": Kind(503, "The service has too much to do", retryable=True, retry_after_s=1),
    "unavailable": Kind(503, "The service can't reach its database", retryable=True, retry_after_s=2),
    "wallet_busy": Kind(503, "The wallet is busy", retryable=True, retry_after_s=1),
}
"""Every code of the service."""


class Refusal(Exception):
    """A request, or an operation of a batch, is refused.

    Attributes:
        code: one of ``KINDS``.
        detail: a sentence for people; by default the title.
        facts: members of the problem document beside the standard ones.
    """

    def __init__(self, code: str, detail: str | None = None, /, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.kind = KINDS[code]
        self.detail = detail or self.kind.title
        self.facts = facts

    def document(self, request_id: str | None = None) -> dict[str, Any]:
        """The problem document; without an id, as it stands in the results of a batch."""
        document: dict[str, Any] = {
            "type": f"urn:wallet:problem:{self.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.kind.retryable,
        }
        if request_id is not None:
            document |= {"instance": f"urn:wallet:request:{request_id}", "request_id": request_id}
        return document | {name: fact for name, fact in self.facts.items() if name not in document}


def fault(place: str, pointer: str, code: str, detail: str) -> dict[str, str]:
    """An item of ``errors``: which value is wrong, and why."""
    return {"in": place, "pointer": pointer, "detail": detail, "code": code}


def invalid(place: str, pointer: str, code: str, detail: str) -> Refusal:
    """One value is not acceptable."""
    return Refusal("validation_failed", detail, errors=[fault(place, pointer, code, detail)])


def invalid_for_the_ledger(place: str, pointer: str, detail: str) -> Refusal:
    """The same, as the ledger says it, which comes to it later than the form of the request."""
    return Refusal("validation_failed", errors=[fault(place, pointer, "validation_failed", detail)])

"""Comparing what was answered with what was foretold."""

from decimal import Decimal
from typing import Any, TypeAlias

import httpx

from wallet_service.core.errors import ERRORS

Document: TypeAlias = dict[str, Any]

_PROBLEM_MEMBERS = frozenset(
    {"type", "title", "status", "detail", "code", "retryable", "instance", "request_id", "errors"}
)


def problem_of(document: Document, code: str, facts: Document) -> None:
    """The document is this problem, with these facts and no others."""
    told = {name: value for name, value in document.items() if name not in _PROBLEM_MEMBERS}
    error = ERRORS[code]
    expected = (code, error.status, error.retryable, facts)
    assert (document.get("code"), document.get("status"), document.get("retryable"), told) == expected, (
        document,
        expected,
    )


def refused(answer: httpx.Response, code: str, **facts: Any) -> None:
    """The answer is this problem."""
    assert answer.status_code == ERRORS[code].status, (answer.status_code, answer.text, code)
    assert answer.headers["content-type"] == "application/problem+json"
    problem_of(answer.json(), code, facts)


def same(actual: Any, expected: Any) -> None:
    """The answer is what was foretold."""
    assert actual == expected, f"answered {actual}, foretold {expected}"


def refused_whole(answer: httpx.Response, size: int, failed: int, code: str, facts: Document) -> bool:
    """An atomic batch is refused for one operation, and changes nothing."""
    document = answer.json()
    same(answer.status_code, ERRORS[code].status)
    results = document.pop("results")
    problem_of(document, code, {**facts, "index": failed})
    same(len(results), size)
    for place, result in enumerate(results):
        same(result["status"], "refused")
        if place == failed:
            problem_of(result["problem"], code, facts)
        else:
            problem_of(result["problem"], "batch_aborted", {"index": failed})
    return False


def text_of(amount: Decimal | int, exponent: int) -> str:
    """The amount with exactly this many decimals."""
    return format(abs(amount) if amount == 0 else amount, f".{exponent}f")

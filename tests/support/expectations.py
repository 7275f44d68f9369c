"""Compares responses with expected ones."""

from decimal import Decimal
from typing import Any, TypeAlias

import httpx

from support.problems import ERRORS

Document: TypeAlias = dict[str, Any]

_PROBLEM_MEMBERS = frozenset(
    {"type", "title", "status", "detail", "code", "retryable", "instance", "request_id", "errors"}
)


def assert_problem(document: Document, code: str, facts: Document) -> None:
    """The document is this problem with these facts and no others."""
    facts_shown = {name: value for name, value in document.items() if name not in _PROBLEM_MEMBERS}
    error = ERRORS[code]
    expected = (code, error.status, error.retryable, facts)
    assert (
        document.get("code"),
        document.get("status"),
        document.get("retryable"),
        facts_shown,
    ) == expected, (
        document,
        expected,
    )


def assert_refused(answer: httpx.Response, code: str, **facts: Any) -> None:
    """The response is this problem."""
    assert answer.status_code == ERRORS[code].status, (answer.status_code, answer.text, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert_problem(answer.json(), code, facts)


def assert_equal(actual: Any, expected: Any) -> None:
    """The response is as expected."""
    assert actual == expected, f"responded {actual}, expected {expected}"


def assert_batch_refused(answer: httpx.Response, size: int, failed: int, code: str, facts: Document) -> bool:
    """An atomic batch is refused because of one operation. Returns False: nothing changed."""
    document = answer.json()
    assert_equal(answer.status_code, ERRORS[code].status)
    results = document.pop("results")
    assert_problem(document, code, {**facts, "index": failed})
    assert_equal(len(results), size)
    for place, result in enumerate(results):
        assert_equal(result["status"], "refused")
        if place == failed:
            assert_problem(result["problem"], code, facts)
        else:
            assert_problem(result["problem"], "batch_aborted", {"index": failed})
    return False


def amount_text(amount: Decimal | int, exponent: int) -> str:
    """The amount with exactly this many decimals."""
    return format(abs(amount) if amount == 0 else amount, f".{exponent}f")

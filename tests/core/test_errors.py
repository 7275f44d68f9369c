from decimal import Decimal
from typing import Any

import pytest

from wallet_service.core.errors import ERRORS, InternalError, WalletError, error_of
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.rooms import ROOMS

STATUSES = {
    "wallet_not_found": 404,
    "transaction_not_found": 404,
    "wallet_exists": 409,
    "wallet_frozen": 409,
    "wallet_closed": 409,
    "wallet_not_empty": 409,
    "insufficient_funds": 402,
    "currency_unknown": 422,
    "currency_mismatch": 409,
    "amount_invalid": 422,
    "amount_precision": 422,
    "same_wallet": 422,
    "refund_exceeds": 409,
    "not_refundable": 409,
    "idempotency_key_reused": 422,
    "idempotency_key_conflict": 400,
    "batch_aborted": 409,
    "wallet_busy": 503,
    "version_mismatch": 412,
    "unauthorized": 401,
    "forbidden": 403,
    "rate_limited": 429,
    "overloaded": 503,
    "unavailable": 503,
    "validation_failed": 422,
}
"""The codes that clients were promised."""


@pytest.mark.parametrize(("code", "status"), STATUSES.items())
def test_promised_codes_keep_their_status(code: str, status: int) -> None:
    assert ERRORS[code].status == status


@pytest.mark.parametrize("error", ERRORS.values(), ids=lambda error: error.code)
def test_every_refusal_is_complete(error: type[WalletError]) -> None:
    assert error.__doc__
    assert error.title
    assert 400 <= error.status < 600
    # 409 and 402 need a decision of the caller's: the same request again only repeats the answer.
    assert error.retryable == (error.status in {408, 429, 503})
    assert (error.retry_after_s is not None) == error.retryable


def test_each_problem_is_declared_by_one_room() -> None:
    def below(error: type[WalletError]) -> set[type[WalletError]]:
        return {found for child in error.__subclasses__() for found in {child, *below(child)}}

    of_the_service = [each for each in below(WalletError) if each.__module__.startswith("wallet_service.")]
    declared = [error for room in ROOMS for error in room.problems]
    assert len(declared) == len(set(declared))
    assert set(declared) == set(of_the_service)
    assert all(code == error.code for code, error in ERRORS.items())


def test_a_code_becomes_its_refusal_with_facts() -> None:
    error = error_of("insufficient_funds", shortfall=Decimal("2.50"))
    assert isinstance(error, InsufficientFunds)
    assert error.facts == {"shortfall": Decimal("2.50")}
    assert str(error) == error.detail == InsufficientFunds.title


WALLET = "0199d0a8-0000-7000-8000-0000000000aa"
FAULT = {"in": "body", "pointer": "/amount", "detail": "an amount is more than 0", "code": "amount_invalid"}


@pytest.mark.parametrize(
    ("code", "facts", "detail"),
    [
        (
            "insufficient_funds",
            {"wallet_id": WALLET, "shortfall": "2.50", "currency": "USD"},
            f"The wallet {WALLET} lacks 2.50 USD",
        ),
        # As functions of 0.1.0 refuse, which a service of this release meets before the migration.
        (
            "insufficient_funds",
            {"wallet_id": WALLET, "shortfall": "2.50"},
            f"The wallet {WALLET} lacks 2.50",
        ),
        (
            "amount_precision",
            {"currency": "JPY", "exponent": 0},
            "An amount in JPY has at most 0 decimals",
        ),
        (
            "wallet_not_found",
            {"wallet_id": WALLET},
            f"There is no wallet {WALLET}, or the caller may not see it",
        ),
        ("wallet_not_found", {"user_id": "a", "currency": "USD"}, "The user has no open wallet in USD"),
        ("wallet_not_found", {}, "Wallet not found"),
        ("version_mismatch", {"wallet_id": WALLET, "version": 3}, f"The wallet {WALLET} is at version 3"),
        ("validation_failed", {}, "Validation failed"),
        ("validation_failed", {"errors": [FAULT]}, "body /amount: an amount is more than 0"),
        (
            "validation_failed",
            {"errors": [FAULT | {"pointer": ""}, FAULT, FAULT]},
            "body: an amount is more than 0 (and 2 more, see errors)",
        ),
    ],
)
def test_the_detail_says_what_the_facts_say(code: str, facts: dict[str, Any], detail: str) -> None:
    assert error_of(code, **facts).detail == detail
    assert error_of(code, "said by its caller", **facts).detail == "said by its caller"


def test_a_value_in_the_facts_is_no_format() -> None:
    error = error_of("wallet_not_found", wallet_id="{currency} {0} %s")
    assert error.detail == "There is no wallet {currency} {0} %s, or the caller may not see it"


@pytest.mark.parametrize(
    ("currency", "similar", "closest"),
    [
        ("EURO", ["ETH", "EUR", "ERN"], "EUR"),
        ("CREDITS", ["CAD", "CREDIT"], "CREDIT"),
        ("XXQ", ["XAF", "XOF"], None),
        ("EURO", [], None),
    ],
)
def test_an_unknown_currency_comes_with_the_closest_one(
    currency: str, similar: list[str], closest: str | None
) -> None:
    error = error_of("currency_unknown", currency=currency, similar=similar)
    known = {"currency": currency}
    assert error.facts == (known if closest is None else known | {"closest": closest})
    assert error.detail.startswith(f"There is no currency {currency}; ")
    assert closest is None or error.detail.endswith(f"the closest one is {closest}")


def test_facts_may_be_called_code_and_detail() -> None:
    error = error_of("validation_failed", "too long", code="x", errors=[])
    assert error.detail == "too long"
    assert error.facts == {"code": "x", "errors": []}


def test_an_unknown_code_is_a_fault_of_ours() -> None:
    assert isinstance(error_of("no_such_code"), InternalError)

"""One class for each refusal of the service."""

import pickle
from decimal import Decimal
from typing import Any

import pytest
import wallet_client
from support.problems import ERRORS
from wallet_client import InsufficientFunds, ServiceError
from wallet_client._problems import BY_CODE, BY_STATUS, error_of

from wallet_service.platform.web.problems import problem_document


def test_every_code_has_a_class_of_the_same_name_below_that_of_its_status() -> None:
    assert BY_CODE.keys() == ERRORS.keys()
    for code, error in ERRORS.items():
        assert BY_CODE[code].__name__ == error.__name__
        assert issubclass(BY_CODE[code], BY_STATUS[error.status])
        made = error_of(problem_document(error(), "the-request"))
        assert type(made) is BY_CODE[code]
        assert (made.status, made.retryable, made.code) == (error.status, error.retryable, code)
        assert str(made) == f"{error().detail} ({code}, request the-request)"
        assert getattr(wallet_client, error.__name__) is BY_CODE[code]


@pytest.mark.parametrize(
    ("status", "caught"),
    [(402, "PaymentRequired"), (409, "Conflict"), (418, "ServiceError"), (507, "ServerError")],
)
def test_a_code_that_is_newer_is_caught_by_its_status(status: int, caught: str) -> None:
    error = error_of({"code": "brand_new", "status": status, "detail": "New"})

    assert type(error) is getattr(wallet_client, caught)
    assert error.code == "brand_new"
    assert not error.retryable


def test_facts_are_attributes() -> None:
    short = error_of(
        {"code": "insufficient_funds", "status": 402, "shortfall": "2.500000", "wallet_id": "w"}
        | {"currency": "CREDIT"}
    )
    over = error_of({"code": "refund_exceeds", "status": 409, "refundable": "1.00", "transaction_id": "t"})
    limited = error_of({"code": "rate_limited", "status": 429, "scope": "user", "limit": 3}, 429, 1.5)

    assert isinstance(short, InsufficientFunds)
    assert (short.shortfall, short.currency, short.wallet_id) == (Decimal("2.500000"), "CREDIT", "w")
    unknown = error_of({"code": "currency_unknown", "status": 422, "currency": "EURO", "closest": "EUR"})
    fine = error_of({"code": "amount_precision", "status": 422, "currency": "USD", "exponent": 2})
    assert isinstance(unknown, wallet_client.CurrencyUnknown)
    assert (unknown.currency, unknown.closest) == ("EURO", "EUR")
    assert isinstance(fine, wallet_client.AmountPrecision)
    assert (fine.currency, fine.exponent) == ("USD", 2)
    assert isinstance(over, wallet_client.RefundExceeds)
    assert (over.refundable, over.transaction_id) == (Decimal("1.00"), "t")
    assert isinstance(limited, wallet_client.RateLimited)
    assert (limited.scope, limited.retry_after_s, limited.facts["limit"]) == ("user", 1.5, 3)


@pytest.mark.parametrize("problem", [{"code": "wallet_busy", "status": 503, "detail": "Busy"}, {}])
def test_an_error_can_go_to_another_process(problem: dict[str, Any]) -> None:
    error = error_of(problem, 503, 2.0)
    error.idempotency_key = "the-key"

    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes

    assert type(copy) is type(error)
    assert vars(copy) == vars(error)
    assert str(copy) == str(error)
    assert "the-key" not in str(error)
    assert isinstance(copy, ServiceError)


def test_a_validation_failure_names_the_first_value() -> None:
    wrong = {
        "in": "body",
        "pointer": "/amount",
        "detail": "an amount is more than 0",
        "code": "amount_invalid",
    }
    problem = {"code": "validation_failed", "status": 422, "detail": "Some values are not acceptable"}

    assert str(error_of(problem | {"errors": [wrong]})) == (
        "Some values are not acceptable (validation_failed): body /amount: an amount is more than 0"
    )
    known = problem | {"errors": [wrong], "detail": "body /amount: an amount is more than 0"}
    assert str(error_of(known)) == "body /amount: an amount is more than 0 (validation_failed)"
    for odd in (None, [], "x", [None], 5):
        assert (
            str(error_of(problem | {"errors": odd})) == "Some values are not acceptable (validation_failed)"
        )


@pytest.mark.parametrize("shortfall", [None, "x", [], "1.5"])
def test_to_look_at_a_refusal_raises_nothing(shortfall: Any) -> None:
    error = error_of({"code": "insufficient_funds", "status": 402, "shortfall": shortfall})
    assert isinstance(error, InsufficientFunds)
    assert error.shortfall == (Decimal("1.5") if shortfall == "1.5" else 0)

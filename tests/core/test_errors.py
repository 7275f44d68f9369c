from decimal import Decimal

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


def test_facts_may_be_called_code_and_detail() -> None:
    error = error_of("validation_failed", "too long", code="x", errors=[])
    assert error.detail == "too long"
    assert error.facts == {"code": "x", "errors": []}


def test_an_unknown_code_is_a_fault_of_ours() -> None:
    assert isinstance(error_of("no_such_code"), InternalError)

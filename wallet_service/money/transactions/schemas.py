"""The requests that move money, and what a batch answers."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, StrictBool

from wallet_service.core.fields import Key
from wallet_service.core.money import Amount
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.money.schemas import Details, Keyed, Movement, Transaction
from wallet_service.platform.web.problems import problem_document

MAX_BATCH = 500


class TransferDetails(Details):
    """An amount that goes from one wallet to another of the same currency."""

    amount: Amount
    to_wallet_id: UUID


class TransferRequest(TransferDetails, Keyed):
    """Body of transfer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"amount": "2.50", "to_wallet_id": "0199d0a8-0000-7000-8000-0000000000bb"}]
        },
    )


class RefundDetails(Details):
    """An amount of an earlier posting that is given back."""

    amount: Amount | None = Field(default=None, description="Default: all that is left to refund.")


class RefundRequest(RefundDetails, Keyed):
    """Body of refund."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"amount": "1.00"}, {}]})


class BatchMovement(Movement):
    """One movement of a batch."""

    type: Literal["deposit", "withdraw", "consume", "reward", "fee"]
    wallet_id: UUID
    idempotency_key: Key | None = None


class BatchTransfer(TransferDetails):
    """One transfer of a batch."""

    type: Literal["transfer"]
    wallet_id: UUID
    idempotency_key: Key | None = None


class BatchRefund(RefundDetails):
    """One refund of a batch."""

    type: Literal["refund"]
    original_transaction_id: UUID
    idempotency_key: Key | None = None


BatchOperation = Annotated[BatchMovement | BatchTransfer | BatchRefund, Field(discriminator="type")]


class BatchRequest(BaseModel):
    """Operations in order; each stands alone unless ``atomic``."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "operations": [
                        {
                            "type": "consume",
                            "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
                            "amount": "0.25",
                        }
                    ],
                    "atomic": False,
                }
            ]
        },
    )

    # Read one by one by the service, so that a bad operation is refused in its own place.
    operations: Annotated[
        list[Annotated[BatchOperation, SkipValidation]], Field(min_length=1, max_length=MAX_BATCH)
    ]
    atomic: StrictBool = Field(default=False, description="All or nothing.")
    dry_run: StrictBool = Field(default=False, description="Answer as if posted; keep nothing, spend no key.")


class BatchPosted(BaseModel):
    """An operation that posted, now or when its key was first spent."""

    status: Literal["posted"]
    transaction: Transaction


class BatchRefused(BaseModel):
    """An operation that changed nothing."""

    status: Literal["refused"]
    problem: dict[str, Any]


class BatchAnswer(BaseModel):
    """The outcomes in the order of the operations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {
                            "status": "refused",
                            "problem": problem_document(InsufficientFunds(**InsufficientFunds.example_facts)),
                        }
                    ]
                }
            ]
        }
    )

    results: list[BatchPosted | BatchRefused]

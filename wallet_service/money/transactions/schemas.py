"""The requests that move money, and what a batch answers."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, StrictBool

from wallet_service.core.fields import Key
from wallet_service.core.money import Amount
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.money.examples import ENTRY, OTHER_WALLET_ID, WALLET_ID, transaction
from wallet_service.money.schemas import Details, Keyed, Movement, Transaction
from wallet_service.platform.web.problems import problem_document

MAX_BATCH = 500


class TransferDetails(Details):
    """An amount that goes from one wallet to another of the same currency."""

    amount: Amount = Field(
        description="More than 0: a decimal string, or an exact JSON number, of at most 20 digits before the point."
    )
    to_wallet_id: UUID = Field(description="The wallet that is credited.")


class TransferRequest(TransferDetails, Keyed):
    """Body of transfer."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"amount": "2.50", "to_wallet_id": OTHER_WALLET_ID}]},
    )


class RefundDetails(Details):
    """An amount of an earlier posting that is given back."""

    amount: Amount | None = Field(default=None, description="Default: all that is left to refund.")


class RefundRequest(RefundDetails, Keyed):
    """Body of refund."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"amount": "1.00"}, {}]})


class BatchMovement(Movement):
    """One movement of a batch."""

    type: Literal["deposit", "withdraw", "consume", "reward", "fee"] = Field(
        description="The type of the operation."
    )
    wallet_id: UUID = Field(description="The wallet that is credited or debited.")
    idempotency_key: Key | None = Field(
        default=None,
        description="Names the operation. Default: the key of the header, `/`, and the place of the operation from 0.",
    )


class BatchTransfer(TransferDetails):
    """One transfer of a batch."""

    type: Literal["transfer"] = Field(description="The type of the operation.")
    wallet_id: UUID = Field(description="The wallet that is debited.")
    idempotency_key: Key | None = Field(
        default=None,
        description="Names the operation. Default: the key of the header, `/`, and the place of the operation from 0.",
    )


class BatchRefund(RefundDetails):
    """One refund of a batch."""

    type: Literal["refund"] = Field(description="The type of the operation.")
    original_transaction_id: UUID = Field(description="The transaction that is refunded.")
    idempotency_key: Key | None = Field(
        default=None,
        description="Names the operation. Default: the key of the header, `/`, and the place of the operation from 0.",
    )


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
                            "wallet_id": WALLET_ID,
                            "amount": "2.50",
                            "reference": "invoice-42",
                        },
                    ],
                    "atomic": False,
                }
            ]
        },
    )

    # Read one by one by the service, so that a bad operation is refused in its own place.
    operations: Annotated[
        list[Annotated[BatchOperation, SkipValidation]],
        Field(
            min_length=1, max_length=MAX_BATCH, description="The operations, which are decided in this order."
        ),
    ]
    atomic: StrictBool = Field(default=False, description="All or nothing.")
    dry_run: StrictBool = Field(default=False, description="Answer as if posted; keep nothing, spend no key.")


class BatchPosted(BaseModel):
    """An operation that posted, now or when its key was first spent."""

    status: Literal["posted"] = Field(
        description="The operation is posted, or would be posted by a request without `dry_run`."
    )
    transaction: Transaction = Field(description="What was posted.")


class BatchRefused(BaseModel):
    """An operation that changed nothing."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "status": "refused",
                    "problem": problem_document(InsufficientFunds(**InsufficientFunds.example_facts)),
                }
            ]
        }
    )

    status: Literal["refused"] = Field(description="The operation is refused.")
    problem: dict[str, Any] = Field(description="The problem document that a single request would get.")


class BatchAnswer(BaseModel):
    """The outcomes in the order of the operations."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "results": [
                        {"status": "posted", "transaction": transaction(ENTRY)},
                    ]
                }
            ]
        }
    )

    results: list[BatchPosted | BatchRefused] = Field(
        description="The outcome of each operation, in the order of the request."
    )

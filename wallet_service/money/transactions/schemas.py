"""The requests that move money, and what a batch answers."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SkipValidation,
    StrictBool,
    StringConstraints,
    model_validator,
)
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import CounterAccount, Key, Line, Metadata, Text, Timestamp, WalletAccount
from wallet_service.core.money import Amount, BalanceAmount
from wallet_service.ledger.operation_types import Direction
from wallet_service.ledger.problems import InsufficientFunds
from wallet_service.money.examples import ENTRY, OTHER_WALLET_ID, WALLET_ID, transaction
from wallet_service.money.schemas import MEMBERS_OF_ROOMS, Details, Keyed, Movement, Transaction
from wallet_service.platform.web.problems import problem_document

MAX_BATCH = 500

EntriesType = Literal["exchange", "payment"]
"""The types of operations that name their entries."""


class TransferDetails(Details):
    """An amount that goes from one wallet to another of the same currency."""

    amount: Amount = Field(
        description="More than 0: a decimal string, or an exact JSON number, of at most 20 digits before the point."
    )
    to_wallet_id: UUID = Field(description="The wallet that is credited.")


class TransferRequest(TransferDetails, Keyed):
    """Body of transfer."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [{"amount": "2.50", "to_wallet_id": OTHER_WALLET_ID}],
            **MEMBERS_OF_ROOMS,
        },
    )


class RefundDetails(Details):
    """An amount of an earlier posting that is given back."""

    amount: Amount | None = Field(default=None, description="Default: all that is left to refund.")


class RefundRequest(RefundDetails, Keyed):
    """Body of refund."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"amount": "1.00"}, {}]})


class AdjustmentDetails(BaseModel):
    """A correction of a balance: to what it should be, or by an amount in a direction."""

    model_config = ConfigDict(extra="forbid")

    balance: BalanceAmount | None = Field(
        default=None,
        description="The balance that the wallet gets. Below zero only in a mirrored wallet, or within the credit limit.",
    )
    amount: Amount | None = Field(default=None, description="How much is added or taken, with `direction`.")
    direction: Direction | None = Field(
        default=None, description="`credit` adds to the wallet, `debit` takes from it."
    )
    reason: Annotated[Text, StringConstraints(min_length=1)] = Field(
        description="Why the balance is corrected. It is stored as the entry's description."
    )
    counter_account: CounterAccount | None = Field(
        default=None, description="The other side of the entry. Default: `external:adjustments`."
    )
    reference: Line | None = Field(default=None, description="The caller's own name for the operation.")
    metadata: Metadata | None = Field(default=None, description="Stored with the entry.")
    effective_at: Timestamp | None = Field(
        default=None, description="When the correction counts. Default: now."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.balance is None) == (self.amount is None) or (self.amount is None) != (
            self.direction is None
        ):
            raise PydanticCustomError(
                "adjustment_ambiguous", "give either balance, or amount together with direction"
            )
        return self

    def details(self) -> dict[str, Any]:
        """The members that are stored with the posting, without those that were left out."""
        named = {"description": self.reason, "reference": self.reference, "metadata": self.metadata}
        return {
            name: value
            for name, value in {**named, "effective_at": self.effective_at}.items()
            if value is not None
        }


class AdjustRequest(AdjustmentDetails, Keyed):
    """Body of adjust."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"balance": "97.50", "reason": "count of 31 March"},
                {"amount": "2.50", "direction": "debit", "reason": "charged twice"},
            ]
        },
    )


class EntryRequest(BaseModel):
    """An entry of an operation: what happens to one wallet, and the other side."""

    model_config = ConfigDict(extra="forbid")

    wallet_id: UUID = Field(description="The wallet.")
    direction: Direction = Field(description="`credit` adds to the wallet, `debit` takes from it.")
    amount: Amount = Field(description="In the wallet's currency.")
    counter_account: CounterAccount | WalletAccount | None = Field(
        default=None,
        description="The other side: an account such as `fx:EUR-USD`, or `wallet:<id>` of another entry, which names "
        "this one and has the opposite amount. May be left out where the type has a default.",
    )


class EntriesDetails(Details):
    """1 to 20 entries that are posted together. Each currency adds up to zero by itself."""

    entries: Annotated[list[EntryRequest], Field(min_length=1, max_length=20)] = Field(
        description="What happens to each wallet, in order."
    )


_EXCHANGE: dict[str, Any] = {
    "type": "exchange",
    "entries": [
        {
            "wallet_id": "0199d0a8-0000-7000-8000-0000000000aa",
            "direction": "debit",
            "amount": "10.00",
            "counter_account": "fx:EUR-USD",
        },
        {
            "wallet_id": "0199d0a8-0000-7000-8000-0000000000bb",
            "direction": "credit",
            "amount": "11.00",
            "counter_account": "fx:EUR-USD",
        },
    ],
}


class EntriesRequest(EntriesDetails, Keyed):
    """Body of an operation of several entries."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXCHANGE]})

    type: EntriesType = Field(description="Its type.")


class BatchMovement(Movement):
    """One movement of a batch."""

    model_config = ConfigDict(extra="allow", json_schema_extra={**MEMBERS_OF_ROOMS})

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

    model_config = ConfigDict(extra="allow", json_schema_extra={**MEMBERS_OF_ROOMS})

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


class BatchAdjustment(AdjustmentDetails):
    """One adjustment of a batch."""

    type: Literal["adjustment"] = Field(description="The operation type.")
    wallet_id: UUID = Field(description="The wallet that is corrected.")
    idempotency_key: Key | None = Field(
        default=None,
        description="Names the operation. Default: the key of the header, `/`, and the place of the operation from 0.",
    )


class BatchEntries(EntriesDetails):
    """One operation of several entries of a batch."""

    type: EntriesType = Field(description="The operation type.")
    idempotency_key: Key | None = Field(
        default=None,
        description="Names the operation. Default: the key of the header, `/`, and the place of the operation from 0.",
    )


BatchOperation = Annotated[
    BatchMovement | BatchTransfer | BatchRefund | BatchAdjustment | BatchEntries, Field(discriminator="type")
]


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


class BatchDecided(BaseModel):
    """An operation of a type that a room decides, such as a grant: posted now or when its key was first spent."""

    status: Literal["posted"] = Field(
        description="The operation is posted, or would be posted by a request without `dry_run`."
    )
    transaction: Transaction | None = Field(description="What was posted. Null: it moved nothing.")
    result: dict[str, Any] = Field(
        description="What it made or changed, as the path of the single operation returns it."
    )


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

    results: list[BatchPosted | BatchRefused | BatchDecided] = Field(
        description="The outcome of each operation, in the order of the request."
    )

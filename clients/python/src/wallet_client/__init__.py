"""The client of the wallet service: ``WalletClient`` for threads, ``AsyncWalletClient`` for asyncio."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wallet_client._async.client import AsyncWalletClient
from wallet_client._async.pages import AsyncPages
from wallet_client._call import UNSET, Moment
from wallet_client._options import CallOptions, Options
from wallet_client._sync.client import WalletClient
from wallet_client._sync.pages import Pages
from wallet_client._version import __version__
from wallet_client.errors import (
    AmountInvalid,
    AmountPrecision,
    BadGateway,
    BadRequest,
    BalanceLimit,
    BatchAborted,
    ClientClosed,
    Conflict,
    CreditLimitInUse,
    CurrencyMismatch,
    CurrencyUnknown,
    Forbidden,
    GatewayTimeout,
    HeadersTooLarge,
    IdempotencyKeyConflict,
    IdempotencyKeyReused,
    InsufficientFunds,
    InternalError,
    MalformedRequest,
    MethodNotAllowed,
    NoAnswer,
    NotFound,
    NotRefundable,
    OrganizationUnknown,
    OutcomeUnknown,
    Overloaded,
    PayloadTooLarge,
    PaymentRequired,
    PreconditionFailed,
    RateLimited,
    RefundExceeds,
    RequestTimeout,
    SameWallet,
    ServerError,
    ServiceError,
    ServiceUnavailable,
    TransactionNotFound,
    TransactionSuperseded,
    TransportNotUsable,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unprocessable,
    UnsupportedMediaType,
    UpstreamUnavailable,
    UriTooLong,
    UserUnknown,
    ValidationFailed,
    VersionMismatch,
    WalletBusy,
    WalletClosed,
    WalletError,
    WalletExists,
    WalletFrozen,
    WalletNotEmpty,
    WalletNotFound,
)
from wallet_client.keys import key_from, new_key
from wallet_client.metrics import Metrics
from wallet_client.money import Amount
from wallet_client.operations import Operation

if TYPE_CHECKING:
    from wallet_client.counts import Counts, Latency, Snapshot
    from wallet_client.events import RequestEvent, ResponseEvent, RetryEvent
    from wallet_client.meter import (
        AsyncUsageMeter,
        MeterClosed,
        MeterCounts,
        MeterFull,
        Unsent,
        Usage,
        UsageMeter,
    )
    from wallet_client.models import (
        Balance,
        BatchResult,
        Credits,
        Entry,
        Page,
        Posted,
        Refused,
        Transaction,
        Wallet,
    )

__all__ = [
    "UNSET",
    "Amount",
    "AmountInvalid",
    "AmountPrecision",
    "AsyncPages",
    "AsyncUsageMeter",
    "AsyncWalletClient",
    "BadGateway",
    "BadRequest",
    "Balance",
    "BalanceLimit",
    "BatchAborted",
    "BatchResult",
    "CallOptions",
    "ClientClosed",
    "Conflict",
    "Counts",
    "CreditLimitInUse",
    "Credits",
    "CurrencyMismatch",
    "CurrencyUnknown",
    "Entry",
    "Forbidden",
    "GatewayTimeout",
    "HeadersTooLarge",
    "IdempotencyKeyConflict",
    "IdempotencyKeyReused",
    "InsufficientFunds",
    "InternalError",
    "Latency",
    "MalformedRequest",
    "MeterClosed",
    "MeterCounts",
    "MeterFull",
    "MethodNotAllowed",
    "Metrics",
    "Moment",
    "NoAnswer",
    "NotFound",
    "NotRefundable",
    "Operation",
    "Options",
    "OrganizationUnknown",
    "OutcomeUnknown",
    "Overloaded",
    "Page",
    "Pages",
    "PayloadTooLarge",
    "PaymentRequired",
    "Posted",
    "PreconditionFailed",
    "RateLimited",
    "RefundExceeds",
    "Refused",
    "RequestEvent",
    "RequestTimeout",
    "ResponseEvent",
    "RetryEvent",
    "SameWallet",
    "ServerError",
    "ServiceError",
    "ServiceUnavailable",
    "Snapshot",
    "Transaction",
    "TransactionNotFound",
    "TransactionSuperseded",
    "TransportNotUsable",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unprocessable",
    "Unsent",
    "UnsupportedMediaType",
    "UpstreamUnavailable",
    "UriTooLong",
    "Usage",
    "UsageMeter",
    "UserUnknown",
    "ValidationFailed",
    "VersionMismatch",
    "Wallet",
    "WalletBusy",
    "WalletClient",
    "WalletClosed",
    "WalletError",
    "WalletExists",
    "WalletFrozen",
    "WalletNotEmpty",
    "WalletNotFound",
    "__version__",
    "key_from",
    "new_key",
]

_LATER = {
    **dict.fromkeys(("Counts", "Latency", "Snapshot"), "wallet_client.counts"),
    **dict.fromkeys(("RequestEvent", "ResponseEvent", "RetryEvent"), "wallet_client.events"),
    **dict.fromkeys(
        ("Balance", "BatchResult", "Credits", "Entry", "Page", "Posted", "Refused", "Transaction", "Wallet"),
        "wallet_client.models",
    ),
    **dict.fromkeys(
        ("AsyncUsageMeter", "MeterClosed", "MeterCounts", "MeterFull", "Unsent", "Usage", "UsageMeter"),
        "wallet_client.meter",
    ),
}
"""Names that are imported at first use, so that loading this package costs little compared to httpx."""


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_LATER[name]), name)
    return found

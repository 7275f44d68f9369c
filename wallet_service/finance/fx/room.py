"""Declares the room."""

from wallet_service.core.room import (
    EventType,
    JobType,
    OperationType,
    Permission,
    PostingPart,
    RecordedRead,
    Room,
)
from wallet_service.core.settings import Settings
from wallet_service.finance.fx.problems import (
    ConversionOff,
    QuoteExpired,
    QuoteNotFound,
    RateMissing,
    RateStale,
)
from wallet_service.finance.fx.settings import FxSettings

FX_READ = Permission(
    "exchange_rates:read", "Read exchange rates, and convert by them without posting", is_users=True
)
FX_WRITE = Permission(
    "exchange_rates:write", "Set exchange rates of books", includes=("exchange_rates:read",), is_users=True
)
CONVERSIONS_WRITE = Permission(
    "conversions:write",
    "Convert money from one wallet to another of its owner, and ask for quotes",
    is_users=True,
)


def _has_provider(settings: Settings) -> bool:
    return settings[FxSettings].url is not None


ROOM = Room(
    name="fx",
    module=__name__,
    summary="exchange rates of days, quotes, and conversions of money by them",
    routers=("router:router", "conversion_router:router"),
    tags={
        "exchange": "Exchange rates of days, and conversions by them: of figures, and of money between two wallets."
    },
    settings=FxSettings,
    permissions=(FX_READ, FX_WRITE, CONVERSIONS_WRITE),
    problems=(RateMissing, RateStale, QuoteNotFound, QuoteExpired, ConversionOff),
    schema="finance",
    lifespan="lifespan:open_fx",
    worker_loops=("keeper:keep_rates",),
    posting_part=PostingPart(mark=64),  # for the results of conversions; no wallet has the bit
    operation_types=(
        OperationType(
            name="convert",
            summary="an amount of one wallet becomes one of another currency in a second of its owner; its entries are "
            "of another type: `exchange`",
            permission="conversions:write",
            form="room",
            mirrored=True,
            users_operating=True,
            users_mirrored=True,
            refundable=False,
            decide="decide_convert",
            request="batch_operations:BatchConversion",
            checks_restriction=True,
            to_wallet=True,
        ),
    ),
    event_types=(
        EventType(
            name="exchange_rates.updated",
            summary="Exchange rates of the service or of a book were set or removed.",
            data="schemas:RatesChange",
        ),
        EventType(
            name="exchange_rates.loaded",
            summary="Exchange rates of the service were loaded: the history, or those of the provider.",
            data="schemas:RatesLoad",
        ),
    ),
    recorded_reads={"list_rates": RecordedRead(action="exchange_rates.read")},
    jobs=(
        JobType(
            name="refresh_rates",
            summary="stores the history of exchange rates where it is missing, and the newest rates of the provider",
            handler="jobs:refresh_rates",
            max_attempts=5,
            first_pause_s=60,
            schedule="30 15 * * *",
            is_on=_has_provider,
        ),
    ),
)

"""What a room declares of itself. The runtime builds the service from the declarations and knows no room by name.

A reference (``"router:router"``) names a module of the room's package and an object in it, as in ``uvicorn app:app``.
It is imported when it is needed: a command of the command line does not import what serves HTTP.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from typing import Any, NamedTuple, Protocol

from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry

from wallet_service.core.errors import WalletError
from wallet_service.core.settings import Check, RoomSettings, Settings


@dataclass(frozen=True, slots=True)
class Permission:
    """What a caller may be allowed to do.

    Attributes:
        name: as keys carry it: ``wallets:read``.
        summary: for the documentation.
        is_users: whether a user's token has it, for the user's own wallets.
    """

    name: str
    summary: str
    is_users: bool = False


@dataclass(frozen=True, slots=True)
class RequestCost:
    """What a request costs against rate limits, in tokens.

    Attributes:
        tokens: before the body is read; 0 is not limited.
        csv_tokens: instead, where the caller accepts CSV.
        is_per_operation: one token more for each operation of the body beyond the first.
    """

    tokens: int = 1
    csv_tokens: int | None = None
    is_per_operation: bool = False


@dataclass(frozen=True, slots=True)
class VerifyWalk:
    """A function of SQL that ``verify`` calls page by page, and what it checks.

    Attributes:
        function: in schema ``wallet_api``; takes the place to go on from, returns ``{"next", "checked", "faults"}``.
        things: what it reads, for the report.
        checks: what must hold, by the name under which faults are reported.
    """

    function: str
    things: str
    checks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RoomContext:
    """What a room's lifespan is given when the application starts.

    Attributes:
        settings: of all rooms.
        state: the application's; a room puts there what its requests need.
        metrics: for what is counted while the application runs.
        tracer: None where tracing is off.
        database_url: of the PostgreSQL to use; None for the Supabase project of the settings.
        rooms: all of them, for what they declare.
    """

    settings: Settings
    state: Any
    metrics: CollectorRegistry
    tracer: Tracer | None
    database_url: str | None
    rooms: "Sequence[Room]"


class Lifespan(Protocol):
    """Runs as long as the application does."""

    def __call__(self, context: RoomContext, /) -> AbstractAsyncContextManager[None]:
        """Open what the room needs, and close it at the end."""
        ...


CallerCheck = Callable[[Any, Any], Awaitable[None]]
"""``async (state, principal)``: raises a problem when the caller may not act any more."""

PostingCheck = Callable[[Any, Any, Any], Awaitable[None]]
"""``async (state, principal, operations)``: raises a problem when the operations may not be posted."""


class Moved(NamedTuple):
    """A wallet that a posting moved."""

    wallet_id: str
    is_debit: bool


AfterPosting = Callable[[Any, Sequence[Moved]], None]
"""``(state, moved)``: is told which wallets postings moved. Never waits, never raises."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """A room of the house: a folder with one concern.

    Attributes:
        name: unique.
        module: ``__name__`` of the module that declares it, ``room.py``.
        summary: one line for the documentation.
        routers: references of the routers with the room's paths.
        settings: the model of its settings.
        settings_checks: of its settings together with those of other rooms.
        permissions: that its paths need; a permission is declared by one room.
        problems: that it raises; a problem is declared by one room.
        request_costs: by the name of the route, where it is not one token.
        body_limits: most bytes of a body by path, where it is not that of the web room.
        lifespan: reference of what runs as long as the application.
        commands: reference of a function that adds commands to the command line.
        schema: the Postgres schema of the room's tables and private functions: that of its group.
        verify_walks: what ``verify`` checks of the room's tables.
        posting_rules: names of functions of ``schema`` that the kernel calls for each operation that it would post;
            ``ledger/sql/apply_posting_rules.sql`` describes their parameters and result.
        caller_checks: references; called when a caller is authenticated.
        posting_checks: references; called before operations are posted.
        after_posting: references; called after operations were posted.
    """

    name: str
    module: str
    summary: str
    routers: Sequence[str] = ()
    settings: type[RoomSettings] | None = None
    settings_checks: Sequence[Check] = ()
    permissions: Sequence[Permission] = ()
    problems: Sequence[type[WalletError]] = ()
    request_costs: Mapping[str, RequestCost] = field(default_factory=dict[str, RequestCost])
    body_limits: Mapping[str, Callable[[Settings], int]] = field(
        default_factory=dict[str, Callable[[Settings], int]]
    )
    lifespan: str | None = None
    commands: str | None = None
    schema: str = "wallet"
    verify_walks: Sequence[VerifyWalk] = ()
    posting_rules: Sequence[str] = ()
    caller_checks: Sequence[str] = ()
    posting_checks: Sequence[str] = ()
    after_posting: Sequence[str] = ()

    @property
    def package(self) -> str:
        """The room's package: ``wallet_service.money.wallets``."""
        return self.module.rpartition(".")[0]

    @property
    def group(self) -> str:
        """The folder above the room: ``money``; the room's own name where it is a group by itself."""
        parts = self.package.split(".")
        return parts[1] if len(parts) > 1 else parts[0]

    @property
    def sql(self) -> Traversable:
        """The folder with the room's SQL, in a clone or inside an installed wheel; not every room has it."""
        return resources.files(self.package) / "sql"

    def load(self, reference: str) -> Any:
        """The object that a reference names.

        Raises:
            ImportError, AttributeError: there is no such object.
        """
        module, _, name = reference.partition(":")
        return getattr(import_module(f"{self.package}.{module}"), name)

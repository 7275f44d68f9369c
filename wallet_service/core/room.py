"""What a room declares. The runtime builds the service from the declarations.

It knows no room above the group ``platform`` by name.

A reference (``"router:router"``) names a module of the room's package and an object in it, as in ``uvicorn app:app``;
with a point before it (``".schemas:Entry"``), a module of the room's group. It is imported only when it is needed: a
command of the command line does not import the HTTP code.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import import_module, resources
from importlib.resources.abc import Traversable
from typing import Any, Literal, NamedTuple, Protocol

from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry
from pydantic import BaseModel

from wallet_service.core.errors import WalletError
from wallet_service.core.settings import Check, RoomSettings, Settings


@dataclass(frozen=True, slots=True)
class Permission:
    """A named right that a route requires.

    Attributes:
        name: as API keys carry it: ``wallets:read``.
        summary: for the documentation.
        is_users: whether a user token has it, for the user's own wallets.
        includes: names of permissions that it allows as well; those may include others.
        spans_wallets: whether it is about all wallets at once, or about none: a key restricted to some can't use it.
    """

    name: str
    summary: str
    is_users: bool = False
    includes: tuple[str, ...] = ()
    spans_wallets: bool = False


@dataclass(frozen=True, slots=True)
class RequestCost:
    """How many rate-limit tokens a request costs.

    Attributes:
        tokens: charged before the body is read; with 0 the request is not limited.
        csv_tokens: charged instead when the caller accepts CSV.
        is_per_operation: whether each operation of the body after the first costs one token more.
        operations: the member of the body that has the operations.
    """

    tokens: int = 1
    csv_tokens: int | None = None
    is_per_operation: bool = False
    operations: str = "operations"


Form = Literal["movement", "transfer", "refund", "adjustment", "entries", "room"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationType:
    """A type of operations that move money. ``migrate`` writes the function by which the kernel reads it.

    Attributes:
        name: as operations and entries have it; unique, lower case, with underscores.
        summary: for the documentation.
        permission: name of the permission that an operation of this type needs.
        form: ``movement``: one entry in one direction; ``transfer``: from one wallet to another of the same currency;
            ``refund``: the entries of its original, reversed; ``adjustment``: one entry in either direction, with a
            reason; ``entries``: 1 to 20 entries that the operation names; ``room``: what the room's function decides.
        direction: of a movement's entry.
        counter_account: the other side of an entry of an operating wallet that names none; None: it must name one.
        mirrored: whether wallets that mirror an account kept elsewhere have such operations.
        mirrored_account: as ``counter_account``, for a mirrored wallet.
        users_operating: whether a user token may post it in the operating wallets of its user.
        users_mirrored: and in the mirrored ones.
        refundable: whether it can be refunded.
        decide: of the form ``room``: the function of the room's ``schema`` that decides it
            (``ledger/sql/open_room_state.sql``). None: the service alone posts entries of this type.
        request: of the form ``room``: reference of the model by which a batch names such an operation
            (``money/transactions/room_operations.py``). None: batches have none.
        checks_restriction: whether that function checks the counter accounts and the amount to which the caller's key is
            restricted, since it alone knows them. It finds them as ``restriction`` of the operation's ``caller``.
    """

    name: str
    summary: str
    permission: str
    form: Form
    direction: Literal["credit", "debit"] | None = None
    counter_account: str | None = None
    mirrored: bool = False
    mirrored_account: str | None = None
    users_operating: bool = False
    users_mirrored: bool = False
    refundable: bool = True
    decide: str | None = None
    request: str | None = None
    checks_restriction: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingPart:
    """How a room takes part in the postings of the wallets that it has marked.

    The functions are those of the room's ``schema``; ``ledger/sql/open_room_state.sql`` describes them.

    Attributes:
        mark: the room's bit in ``wallet.wallets.marks``: a power of two that no other room has.
        settle: posts and records what is due.
        open: reads what operations will need.
        follow: may refuse an operation that would post, and notes what it does.
        write: writes what was noted.
        problems: those by which ``follow`` refuses an operation. The document has them for every path that debits.
    """

    mark: int
    settle: str | None = None
    open: str | None = None
    follow: str | None = None
    write: str | None = None
    problems: tuple[type[WalletError], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingMembers:
    """Members that a room adds to requests that move money: movements and transfers, single or in batches.

    They are part of the request: an idempotency key that was spent with others, or without them, is reused. The
    functions are those of the room's ``schema``; ``ledger/sql/keep_posting_members.sql`` describes them. The kernel calls
    them only for operations that have such members.

    Attributes:
        model: reference of a pydantic model whose members these are, each with a default. Unset ones are not given.
        permission: name of the permission that the caller must have for giving one of them.
        check: may refuse an operation that would post.
        write: writes what was given, in the posting's transaction.
        problems: those by which ``check`` refuses. The document has them for every path that takes the members.
    """

    model: str
    permission: str
    check: str
    write: str
    problems: tuple[type[WalletError], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A type of events that readers of events and webhooks learn of.

    Attributes:
        name: of the object and what happened to it: ``wallet.updated``; unique. SQL writes a change with
            ``platform.record_change``.
        summary: for the documentation.
        data: reference to the pydantic model of the object, from which the JSON Schema of the event is made.
        version: of that schema; it goes up when a member is removed or changes its meaning.
        is_change: whether the event's data is the object before and after the change; otherwise it is the object.
        masked: members that the audit trail shows without their values, because they can be personal data. Names of
            secrets and contacts (``platform/changes/sql/mask_members.sql``) need not be listed. Events have them all.
    """

    name: str
    summary: str
    data: str
    version: int = 1
    is_change: bool = True
    masked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRead:
    """A read that the audit trail records. A route that reads data of one user, or of all, declares one.

    Attributes:
        action: of the object and ``read``: ``wallet.read``.
        by_all: whether it is recorded of every caller; else only of those with the rights of the operator.
    """

    action: str
    by_all: bool = False


@dataclass(frozen=True, slots=True)
class VerifyWalk:
    """A database function that ``verify`` calls page by page, and what it checks.

    Attributes:
        function: in schema ``wallet_api``; takes the place to continue from, returns ``{"next", "checked", "faults"}``.
            A fault has its ``check``, and ``wallet_id``, ``transaction_id``, or ``row``: what the report names.
        things: the rows that it reads, as the report names them.
        checks: each rule that must hold, by the name under which faults are reported.
    """

    function: str
    things: str
    checks: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SealedRows:
    """The rows of a room with values that the vault sealed, for ``credentials status``, ``rotate`` and ``verify``.

    Row ids are those of the additional data: unique in the room, and made of the primary key.

    Attributes:
        list_function: of ``wallet_api``: ``(p_except_key text, p_after text, p_limit integer, p_values boolean)``
            returns ``{"rows": [{"row_id", "key_id", "value"}], "next"}``: at most that many rows after the row id in
            the order of the primary key, without those sealed with that key. ``value`` is null unless asked for;
            ``next`` is the row id to continue after, null at the end. It may return fewer rows, even none.
        replace_function: of ``wallet_api``: ``(p_row_id text, p_old text, p_new text, p_key_id text)`` returns
            ``true``, or ``false`` if the value is no longer the old one, which is then unchanged.
        page_rows: rows with their values that a page may have: a call has at most 1 MiB.
    """

    list_function: str
    replace_function: str
    page_rows: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class JobType:
    """A type of jobs: work that is stored in the database until a worker has done it.

    Attributes:
        name: as jobs have it; unique, lower case, with underscores.
        summary: for the documentation.
        handler: reference of ``async (JobContext) -> None`` (``platform/jobs/context.py``). It may be called more than
            once for a job: what it moves has an idempotency key of the job.
        permission: name of the permission that the creator of a job must have at each attempt; None: any creator.
        max_attempts: attempts after which a job is dead.
        lease_s: seconds after which a job whose worker does not answer is given to another. The worker renews it.
        timeout_s: seconds for one attempt.
        first_pause_s: pause after the first failed attempt; it doubles with each further one.
        longest_pause_s: the longest pause between two attempts.
        schedule: a cron expression of five fields, in UTC: a job is created at each tick; None: none is.
        missed_ticks: how many of the ticks that passed while no worker ran are made up, the latest ones, in order.
        is_on: whether the schedule applies with these settings; None: always.
    """

    name: str
    summary: str
    handler: str
    permission: str | None = None
    max_attempts: int = 10
    lease_s: int = 60
    timeout_s: int = 600
    first_pause_s: int = 5
    longest_pause_s: int = 3600
    schedule: str | None = None
    missed_ticks: int = 1
    is_on: Callable[[Settings], bool] | None = None


@dataclass(frozen=True, slots=True)
class RoomContext:
    """What a room's lifespan receives when the application starts.

    Attributes:
        settings: of all rooms.
        state: the application's state; a room stores there what its requests need.
        metrics: the registry for metrics of the running application.
        tracer: None if tracing is off.
        database_url: of the PostgreSQL to use; None for the Supabase project of the settings.
        rooms: all rooms, for their declarations.
    """

    settings: Settings
    state: Any
    metrics: CollectorRegistry
    tracer: Tracer | None
    database_url: str | None
    rooms: "Sequence[Room]"


class Lifespan(Protocol):
    """An asynchronous context that is open while the application runs."""

    def __call__(self, context: RoomContext, /) -> AbstractAsyncContextManager[None]:
        """Open what the room needs, and close it at the end."""
        ...


CallerCheck = Callable[[Any, Any], Awaitable[None]]
"""``async (state, principal)``: raises a problem if the caller may no longer act."""

PostingCheck = Callable[[Any, Any, Any], Awaitable[None]]
"""``async (state, principal, operation)``: raises a problem if the operation may not be posted.

In a batch without ``atomic`` a refusal is that of its operation only. The check runs before the idempotency key is
looked up, so it also sees operations that are replays, and dry runs. ``operation.wallet_id`` is None for a refund (it
has ``original_transaction_id``) and for a user's credits (``owner``). A rule that depends on money or on what was posted
before belongs in ``posting_rules``, which the kernel calls with the wallets locked.
"""


WorkerLoop = Callable[[Any, asyncio.Event], Awaitable[None]]
"""``async (state, stopping)``: work that goes on as long as a worker runs, such as deliveries.

It returns soon after ``stopping`` is set. If it has not after the worker's grace, it is cancelled: then it gives back
what it has claimed. After an exception, which is logged, it is called again.
"""


class Moved(NamedTuple):
    """A wallet whose balance a posting changed."""

    wallet_id: str
    is_debit: bool


AfterPosting = Callable[[Any, Sequence[Moved]], None]
"""``(state, moved)``: called once with each entry of new postings: its wallet and direction.

Not for replays, dry runs, and opening balances. It never waits. It is not called when the process dies in between, so
nothing that must not be missed may depend on it. An exception is logged and changes no response.
"""


@dataclass(frozen=True, kw_only=True)
class Room:
    """A room: a folder that does one thing.

    Attributes:
        name: unique.
        module: ``__name__`` of the module that declares it, ``room.py``.
        summary: one line for the documentation.
        routers: references of the routers with the room's paths.
        tags: the tags of its paths, and the introduction that /docs shows for each. One room declares a tag.
        settings: the model of its settings.
        settings_checks: checks of its settings together with those of other rooms.
        permissions: those that its paths require; one room declares a permission.
        problems: those that it raises; one room declares a problem.
        request_costs: by the name of the route, if it is not one token.
        body_limits: the maximum bytes of a body by path, if it is not the limit of the web room.
        unlimited_paths: paths whose requests may take longer than the time limit of the web room.
        lifespan: reference of its ``Lifespan``.
        commands: reference of a function that adds commands to the command line.
        schema: the Postgres schema of the room's tables and private functions: that of its group.
        verify_walks: what ``verify`` checks in the room's tables.
        operation_types: types of operations that the kernel posts; one room declares a type.
        jobs: types of jobs that workers run; one room declares a type.
        worker_loops: references of ``WorkerLoop``; each worker runs them, beside the jobs.
        event_types: types of the events that the room's functions write; one room declares a type.
        recorded_reads: by the name of the route, reads that the audit trail records.
        sealed_rows: where the room stores values that the vault sealed, if it does.
        posting_rules: names of functions of ``schema`` that the kernel calls for each operation that it would post;
            ``ledger/sql/apply_posting_rules.sql`` describes their parameters and result.
        posting_part: how the room takes part in postings of the wallets that it has marked, if it does.
        posting_members: members that it adds to requests that move money, if it does.
        hooks: functions of ``schema`` by the qualified name of the function of an earlier room that calls them. Each
            takes an id and returns a JSON object; ``migrate`` writes the caller, which returns the members of all.
        caller_checks: references; called when a caller is authenticated.
        posting_checks: references; called for each operation of a request that moves money, before it is posted.
        after_posting: references; called with the entries of a request that moved money.
    """

    name: str
    module: str
    summary: str
    routers: Sequence[str] = ()
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    settings: type[RoomSettings] | None = None
    settings_checks: Sequence[Check] = ()
    permissions: Sequence[Permission] = ()
    problems: Sequence[type[WalletError]] = ()
    request_costs: Mapping[str, RequestCost] = field(default_factory=dict[str, RequestCost])
    body_limits: Mapping[str, Callable[[Settings], int]] = field(
        default_factory=dict[str, Callable[[Settings], int]]
    )
    unlimited_paths: Sequence[str] = ()
    lifespan: str | None = None
    commands: str | None = None
    schema: str = "wallet"
    verify_walks: Sequence[VerifyWalk] = ()
    operation_types: Sequence[OperationType] = ()
    jobs: Sequence[JobType] = ()
    worker_loops: Sequence[str] = ()
    event_types: Sequence[EventType] = ()
    recorded_reads: Mapping[str, RecordedRead] = field(default_factory=dict[str, RecordedRead])
    sealed_rows: SealedRows | None = None
    posting_rules: Sequence[str] = ()
    posting_part: PostingPart | None = None
    posting_members: PostingMembers | None = None
    hooks: Mapping[str, str] = field(default_factory=dict[str, str])
    caller_checks: Sequence[str] = ()
    posting_checks: Sequence[str] = ()
    after_posting: Sequence[str] = ()

    @property
    def package(self) -> str:
        """The room's package: ``wallet_service.money.wallets``."""
        return self.module.rpartition(".")[0]

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
        return getattr(import_module(f".{module}", self.package), name)


def posting_problems_of(rooms: Sequence[Room]) -> Sequence[type[WalletError]]:
    """The problems by which rooms that take part in postings refuse a debit."""
    return [
        problem for room in rooms if room.posting_part is not None for problem in room.posting_part.problems
    ]


def posting_members_of(rooms: Sequence[Room]) -> Sequence[tuple[PostingMembers, type[BaseModel]]]:
    """What rooms declare as members of movements and transfers, each with its model."""
    return [
        (room.posting_members, room.load(room.posting_members.model))
        for room in rooms
        if room.posting_members is not None
    ]


def batch_operations_of(rooms: Sequence[Room]) -> Mapping[str, Any]:
    """The models of operations that batches may have beside those of the ledger, by the name of their type."""
    return {
        kind.name: room.load(kind.request)
        for room in rooms
        for kind in room.operation_types
        if kind.request is not None
    }


def problems_of(rooms: Sequence[Room]) -> Mapping[str, type[WalletError]]:
    """Every problem that rooms declare, by its code."""
    return {error.code: error for room in rooms for error in room.problems}

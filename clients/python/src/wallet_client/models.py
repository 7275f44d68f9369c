"""The results of calls: frozen dataclasses, amounts as Decimal, datetimes with a time zone.

Members of a response that are newer than this package are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NoReturn, TypeAlias, TypeVar

from wallet_client.errors import ServiceError

if TYPE_CHECKING:
    from wallet_client.grants import Grant
    from wallet_client.holds import Hold

T_co = TypeVar("T_co", covariant=True)


def _refuse(*args: Any, **kwargs: Any) -> NoReturn:
    del args, kwargs
    raise TypeError("the metadata of a result can't be changed; dict(...) of it can")


_REFUSED: Any = _refuse


def later(default: object) -> Any:
    """A member that was added after 0.1.0; a service that does not send it yet is read as if it sent the default."""
    return field(default=default, kw_only=True, metadata={"later": True})


class ReadOnly(dict[str, Any]):
    """The metadata of a result: a dict that refuses changes; ``dict(metadata)`` can be changed.

    It has no hash, since a dict has none; so a result with metadata has none either.
    """

    __setitem__ = __delitem__ = __ior__ = _REFUSED
    clear = pop = popitem = setdefault = update = _REFUSED

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied and pickled as a whole: a dict is filled member by member, which is refused here."""
        return (type(self), (dict(self),))


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet.

    Attributes:
        wallet_type: ``fiat``, ``crypto`` or ``hybrid``.
        keeping: ``operating``: money is held here; ``mirrored``: a record of an account that is kept elsewhere.
        status: ``active``, ``frozen`` or ``closed``.
        balance: in ``currency``, like ``locked_balance``, ``available_balance`` and ``credit_limit``.
        version: counts the changes of the wallet itself; for ``if_version``.
        last_entry: counts its entries in the ledger.
    """

    wallet_id: str
    user_id: str
    organization_id: str | None
    name: str
    wallet_type: str
    currency: str
    network: str | None
    address: str | None
    balance: Decimal
    locked_balance: Decimal
    available_balance: Decimal
    credit_limit: Decimal
    status: str
    is_primary: bool
    version: int
    last_entry: int
    metadata: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    keeping: str = later("operating")


@dataclass(frozen=True, slots=True)
class Balance:
    """A wallet's balance after its entry ``wallet_version``.

    Attributes:
        at: the moment of the balance; None: now. At a past moment only ``balance`` is known.
    """

    wallet_id: str
    currency: str
    balance: Decimal
    locked_balance: Decimal | None
    available_balance: Decimal | None
    credit_limit: Decimal | None
    wallet_version: int
    at: datetime | None


@dataclass(frozen=True, slots=True)
class File:
    """The description of a file.

    Attributes:
        media_type: as it was declared at the upload.
        sha256: of the content, hexadecimal.
        personal: whether the content is encrypted in the database.
        expires_at: from then on the file is not found.
    """

    file_id: str
    name: str
    media_type: str
    size_bytes: int
    sha256: str
    personal: bool
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change or a read, and who made it.

    Attributes:
        sequence: unique; numbers can be missing.
        actor: ``client:<name>``, ``user:<id>``, ``command:<user of the operating system>``, ``job:<id>``, ``service``, or
            ``unknown`` for a call of an earlier release.
        on_behalf_of: the actor that it acts for, if it acts for another.
        action: the type of the event of a change, or of the read.
        object_id: what was changed or read; ``*``: all.
        user_id: whose data it is; None: not that of one user.
        event_id: the event of the change; None for a read.
        changed: what differs between before and after, as JSON pointers, also where values are masked.
        before: the object before the change; ``***`` is a value that can be secret or personal.
        after: the object after the change.
    """

    sequence: int
    recorded_at: datetime
    actor: str
    on_behalf_of: str | None
    client_id: str | None
    address: str | None
    session_id: str | None
    user_agent: str | None
    request_id: str | None
    action: str
    object_id: str
    user_id: str | None
    event_id: str | None
    changed: Sequence[str] | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a job is.

    Attributes:
        done: how many things are done.
        total: how many there are; None if that is not known.
        note: for people.
    """

    done: int
    total: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class JobError:
    """Why the last attempt of a job did not succeed.

    Attributes:
        code: stable, for programs.
        detail: for people.
    """

    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Job:
    """Work in the background of the service.

    Attributes:
        type: what kind of work it is.
        status: ``queued``, ``running``, ``paused``, ``succeeded``, ``dead`` or ``cancelled``; other values may be added.
        attempts: so far, the present one included.
        result: what it has found or done, if its type has a result.
        error: None during an attempt.
        client_id: the client that created it; None: the service itself.
        user_id: the user that created it; None: not a user.
        due_at: the earliest moment of the next attempt.
        tick_at: the moment of its schedule; None: it has none.
        finished_at: None: it has not ended.
    """

    job_id: str
    type: str
    status: str
    attempts: int
    progress: JobProgress | None
    result: Mapping[str, Any] | None
    error: JobError | None
    client_id: str | None
    user_id: str | None
    due_at: datetime
    tick_at: datetime | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None

    @property
    def has_ended(self) -> bool:
        """Whether it has succeeded, is dead, or was cancelled."""
        return self.finished_at is not None


@dataclass(frozen=True, slots=True)
class TestClock:
    """The ledger's clock.

    Attributes:
        moment: what it shows.
        is_set: whether it was set; otherwise it shows the real time.
    """

    __test__: ClassVar[bool] = False  # pytest does not collect it

    moment: datetime
    is_set: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the ledger: the change that a posting made to one wallet.

    Attributes:
        transaction_type: ``deposit``, ``withdraw``, ``consume``, ``transfer``, ``reward``, ``fee``, ``refund``,
            ``adjustment``, ``exchange`` or ``payment``. Later releases of the service add types.
        direction: ``credit`` or ``debit``.
        created_at: when it was posted.
        effective_at: when it happened; the time of posting if the caller named no other.
        amount: in ``currency``, always more than 0; ``direction`` is the sign.
    """

    transaction_id: str
    leg: int
    transaction_type: str
    wallet_id: str
    user_id: str | None
    currency: str
    direction: str
    amount: Decimal
    balance_before: Decimal | None
    balance_after: Decimal | None
    wallet_version: int | None
    counter_account: str
    original_transaction_id: str | None
    client_id: str | None
    reference: str | None
    description: str | None
    metadata: Mapping[str, Any]
    effective_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Transaction(Entry):
    """A posting: its first leg, and in ``legs`` all of them where it has more than one.

    Attributes:
        replayed: the idempotency key was used before, and this is the first result again.
        dry_run: nothing was stored.
    """

    legs: tuple[Entry, ...] | None
    dry_run: bool
    replayed: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Credits:
    """The balance of the wallet from which a user's credits are consumed.

    Attributes:
        user_id: the user.
        wallet_id: None where the user has no such wallet; then the balance is 0.
        currency: ``CREDIT``.
        balance: in credits.
        available_balance: in credits, without what is reserved.
    """

    user_id: str
    wallet_id: str | None
    currency: str
    balance: Decimal
    available_balance: Decimal


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """A part of a list.

    Attributes:
        items: may be empty, even if this is not the last page.
        next_cursor: None on the last page.
    """

    items: tuple[T_co, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Event:
    """An event: a CloudEvent.

    Attributes:
        id: unique, and the same whenever the event is read.
        type: such as ``transaction.posted``.
        subject: the transaction, or the object that changed.
        dataschema: names the schema of ``data``: type and version.
        sequence: its number: without gaps, in the order of all events.
        wallet_id: the wallet that it is about; None if it is about none.
        wallet_version: of ``transaction.posted``: the number of the entry within its wallet.
        data: as the schema describes it; amounts are text.
        cursor: of a stream: continues after this event. None in a list, whose ``cursor`` does.
    """

    id: str
    type: str
    source: str
    subject: str
    time: datetime
    dataschema: str
    sequence: int
    wallet_id: str | None
    wallet_version: int | None
    data: Mapping[str, Any]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class EventType:
    """A type of events.

    Attributes:
        version: of the schema of its data.
        schema: the JSON Schema of its data.
    """

    type: str
    version: int
    summary: str
    dataschema: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EventPage:
    """A part of the events.

    Attributes:
        items: may be empty, even if there are more events.
        next_cursor: continues after this page, at any later time.
        has_more: whether there were events after it when it was read.
    """

    items: tuple[Event, ...]
    next_cursor: str
    has_more: bool


@dataclass(frozen=True, slots=True)
class Posted:
    """An operation of a batch that is in the ledger (or would be, in a dry run)."""

    transaction: Transaction


@dataclass(frozen=True, slots=True)
class Refused:
    """An operation of a batch that was refused; ``error`` has the reason, and what is not known of an earlier attempt."""

    error: ServiceError


@dataclass(frozen=True, slots=True)
class Decided:
    """An operation of a batch on a grant or a hold that is done (or would be, in a dry run).

    Attributes:
        result: the grant or hold, as it is after the operation.
        transaction: what was posted; None where nothing was, as for a hold that is placed or voided.
    """

    result: "Grant | Hold"
    transaction: Transaction | None


BatchResult: TypeAlias = Posted | Decided | Refused
"""The result of one operation of a batch."""

BatchResults: TypeAlias = list[BatchResult]
"""The results of a batch: one for each operation, in order."""

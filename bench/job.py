"""What the load generator is told to do, and what it answers: plain data that crosses a pipe as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


class RowFailed(Exception):
    """A row could not be measured: a request was answered with what it should not be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A database, and the service on it.

    Attributes:
        dsn: of the database, for SQL rows.
        url: of the service, or of the project that is called without it; empty while there is none.
        key: which that knows.
        wallets: how many there are for a load that is spread.
        zipf_wallets: how many there are for a load of Zipf's law.
        big_wallet: number of the wallet with many rows.
        service_pid: whose CPU time is the service's.
        rest_pids: whose CPU time is that of PostgREST and the gateway before it.
        postgres_pid: whose CPU time, with its children's, is the server's; None where it is out of sight.
    """

    dsn: str
    url: str = ""
    key: str = ""
    wallets: int
    zipf_wallets: int
    big_wallet: int
    service_pid: int | None = None
    postgres_pid: int | None = None
    rest_pids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One piece of load.

    Attributes:
        traffic: name of what is sent: see ``rows_sql`` and ``rows_http``.
        mode: ``closed``: each connection sends when it has its answer. ``open``: at ``rate``, come what may.
        seconds: how long is measured.
        warm_s: how long a closed loop runs before it is measured.
        rate: requests a second of an open loop.
        beside_rate: of the traffic ``held`` that is sent at the same time; 0 for none.
    """

    traffic: str
    place: Place
    mode: Literal["closed", "open"]
    connections: int
    seconds: float
    warm_s: float = 0.0
    rate: float = 0.0
    beside_rate: float = 0.0

    def document(self) -> dict[str, Any]:
        """The job as JSON keeps it."""
        return asdict(self)

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Job":
        """The job of a document."""
        place = Place(**document["place"])
        rest = {name: value for name, value in document.items() if name != "place"}
        return cls(place=place, **rest)


@dataclass(slots=True, kw_only=True)
class Sample:
    """What was measured.

    Attributes:
        requests: while it was measured; one under way at the edge of that time counts in part.
        operations: in those requests.
        seconds: how long was measured.
        all_operations: with those before and after the measured time, for what the database counts.
        latencies_us: of each request, from when it was due in an open loop, from when it was sent in a closed one.
        cpu_s: by process (client, service, rest, postgres) while it was measured.
        notes: counts that belong to the row.
    """

    requests: float = 0.0
    operations: float = 0.0
    seconds: float = 0.0
    all_operations: int = 0
    latencies_us: list[int] = field(default_factory=list[int])
    cpu_s: dict[str, float] = field(default_factory=dict[str, float])
    notes: dict[str, int] = field(default_factory=dict[str, int])

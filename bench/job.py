"""Jobs of the load generator and their results: plain data that crosses a pipe as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


class RowFailed(Exception):
    """A row could not be measured, for example because of an unexpected response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """The measured system: a database, and the service on it.

    Attributes:
        dsn: of the database, for SQL rows.
        url: of the service, or of the project that is called without it; empty while there is none.
        key: its API key.
        wallets: the number of wallets of a load that is spread.
        zipf_wallets: the number of wallets of a load by Zipf's law.
        big_wallet: number of the wallet with many entries.
        service_pid: the process of the service.
        rest_pids: the processes of PostgREST and the gateway before it.
        postgres_pid: the first process of the server; None where it is on another machine.
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
        traffic: name of the traffic in ``rows_sql``, ``rows_http``, ``rows_rest`` or ``rows_client``.
        mode: ``closed``: each connection sends after its last response. ``open``: at ``rate``, whatever happens.
        seconds: how long is measured.
        warm_s: how long a closed loop runs before it is measured.
        rate: requests a second of an open loop.
        locked_rate: requests a second of the traffic ``locked`` that is sent at the same time; 0 for none.
    """

    traffic: str
    system: System
    mode: Literal["closed", "open"]
    connections: int
    seconds: float
    warm_s: float = 0.0
    rate: float = 0.0
    locked_rate: float = 0.0

    def document(self) -> dict[str, Any]:
        """The job as JSON."""
        return asdict(self)

    @classmethod
    def read(cls, document: dict[str, Any]) -> "Job":
        """The job of a document."""
        system = System(**document["system"])
        rest = {name: value for name, value in document.items() if name != "system"}
        return cls(system=system, **rest)


@dataclass(slots=True, kw_only=True)
class Sample:
    """The result of a job.

    Attributes:
        requests: in the measured time. A request at its edge counts in part.
        operations: of those requests.
        seconds: how long was measured.
        all_operations: also those before and after the measured time, for the counters of the database.
        latencies_us: of each request, from when it was due in an open loop, from when it was sent in a closed one.
        cpu_s: by process (client, service, rest, postgres) in the measured time.
        notes: further counts of the row.
    """

    requests: float = 0.0
    operations: float = 0.0
    seconds: float = 0.0
    all_operations: int = 0
    latencies_us: list[int] = field(default_factory=list[int])
    cpu_s: dict[str, float] = field(default_factory=dict[str, float])
    notes: dict[str, int] = field(default_factory=dict[str, int])

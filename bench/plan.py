"""The rows, and how long each is measured."""

from dataclasses import dataclass
from typing import Literal

from bench.data import Size
from bench.rows_http import BATCH

Where = Literal["main", "small", "large", "rest", "rest_unbatched", "project", "production", "traced"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is loaded, and how long is measured.

    Attributes:
        rounds: of the rows of a group, interleaved; the median is reported.
        round_s: how long a row is measured in a round.
        warm_s: how long it runs before that in each round.
        open_s: how long it is measured in an open loop, in all.
        open_parts: the number of pieces of that, interleaved with the other rows.
        probe_s: how long each number of connections is measured before the best is chosen.
        locked_s: how long another session locks wallets.
        locked_rounds: how often.
        rest_factor: rows over REST are measured longer by this factor, because one of their requests takes a large
            part of a short round.
        import_rounds: how often an import is timed.
        pgbench_s: whole seconds of pgbench for each of its rows; 0 for none.
        main: what is loaded for most rows.
        small: what is loaded where few rows are wanted.
        large: what is loaded where many are.
        zipf_wallets: the number of wallets among which ``http_zipf_consume`` draws.
    """

    rounds: int
    round_s: float
    warm_s: float
    open_s: float
    open_parts: int
    probe_s: float
    locked_s: float
    locked_rounds: int
    rest_factor: float
    import_rounds: int
    pgbench_s: int
    main: Size
    small: Size
    large: Size
    zipf_wallets: int


FAMILIES = ("floor", "naive", "kernel", "http", "rest", "client")
"""The first words of keys, in the order of the report."""

CONSUME = "http_consume"
"""The row whose rate others need, or that is their baseline."""

SPREAD = 10_000
"""The number of wallets over which a load is spread."""

QUICK = Plan(
    rounds=3,
    round_s=0.15,
    warm_s=0.03,
    open_s=0.2,
    open_parts=1,
    probe_s=0.05,
    locked_s=2.0,
    locked_rounds=1,
    rest_factor=3.0,
    import_rounds=3,
    pgbench_s=1,
    main=Size(wallets=SPREAD),
    small=Size(wallets=SPREAD, big_rows=1000),
    large=Size(wallets=SPREAD, rows_each=90, big_rows=100_000),
    zipf_wallets=SPREAD,
)

FULL = Plan(
    rounds=7,
    round_s=1.0,
    warm_s=0.2,
    open_s=6.0,
    open_parts=3,
    probe_s=0.5,
    locked_s=2.0,
    locked_rounds=5,
    rest_factor=1.0,
    import_rounds=9,
    pgbench_s=5,
    main=Size(wallets=100_000),
    small=Size(wallets=SPREAD, big_rows=1000),
    large=Size(wallets=SPREAD, rows_each=900, big_rows=1_000_000),
    zipf_wallets=100_000,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes:
        key: its name in the options and results.
        title: its description in the table.
        traffic: the requests that are sent.
        where: the database, or the service on it, that gets the requests. With the data of ``main``: ``rest``, a
            service that reaches them through a Supabase project; ``rest_unbatched``, such a service with one operation
            in each call; ``project``, the project without a service; ``production`` and ``traced``, services in the
            environments of ``environments``.
        connections: numbers of connections, of which the best is used.
        baseline: key of the row that it is compared with in the table.
        group: rows of a group are interleaved.
        open_loop: whether it is also measured at a fixed rate.
    """

    key: str
    title: str
    traffic: str
    where: Where = "main"
    connections: tuple[int, ...] = (64,)
    baseline: str | None = None
    group: Literal["sql", "http", "serial", "lists", "sizes", "locked", "rest"]
    open_loop: bool = True

    def is_named(self, name: str) -> bool:
        """Whether an option with this name chooses the row: its key, or words with which its key begins."""
        return f"{self.key}_".startswith(f"{name}_")


_PROBED = (1, 4, 16)
_FEW = (4,)


def _sql(key: str, title: str, traffic: str, connections: tuple[int, ...] = _PROBED) -> Row:
    return Row(
        key=key,
        title=title,
        traffic=traffic,
        connections=connections,
        baseline=None if key == "floor" else "floor",
        group="sql",
    )


def _http(key: str, title: str, traffic: str, baseline: str | None = "http_empty") -> Row:
    return Row(key=key, title=title, traffic=traffic, baseline=baseline, group="http")


def _in_environment(key: str, title: str, traffic: str, where: Where) -> Row:
    return Row(key=key, title=title, traffic=traffic, where=where, baseline=CONSUME, group="http")


def _client(key: str, title: str, traffic: str, baseline: str | None) -> Row:
    return Row(key=key, title=title, traffic=traffic, connections=(8,), baseline=baseline, group="http")


def _serial(key: str, title: str, traffic: str) -> Row:
    return Row(key=key, title=title, traffic=traffic, connections=(1,), group="serial", open_loop=False)


def _rest(key: str, title: str, where: Where, traffic: str, baseline: str, connections: int = 64) -> Row:
    return Row(
        key=key,
        title=title,
        traffic=traffic,
        where=where,
        connections=(connections,),
        baseline=baseline,
        group="rest",
    )


ROWS: tuple[Row, ...] = (
    _sql("floor", "floor, one statement", "floor"),
    _sql("floor_hot", "floor, one wallet", "floor_hot"),
    _sql("naive", "naive, five statements", "naive"),
    _sql("naive_hot", "naive, one wallet", "naive_hot"),
    _sql("kernel_single", "kernel, 1 a call", "kernel_single"),
    _sql("kernel_single_hot", "kernel, 1 a call, one wallet", "kernel_single_hot"),
    _sql("kernel_batch", "kernel, 50 a call", "kernel_batch", _FEW),
    _sql("kernel_batch_hot", "kernel, 50 a call, one wallet", "kernel_batch_hot", _FEW),
    _http("http_empty", "HTTP, empty endpoint", "empty", baseline=None),
    _http(CONSUME, "HTTP consume", "consume"),
    _http("http_hot_consume", "HTTP consume, one wallet", "consume_hot"),
    _http("http_transfer", "HTTP transfer", "transfer"),
    Row(
        key="http_batch",
        title=f"HTTP batch of {BATCH}",
        traffic="batch",
        connections=(16,),
        baseline=CONSUME,
        group="http",
    ),
    _http("http_balance", "HTTP balance", "balance"),
    _http("http_replay_consume", "HTTP consume, 5 % replays", "replays"),
    _http("http_zipf_consume", "HTTP consume, Zipf 1.0", "zipf"),
    _in_environment(
        "http_production_consume",
        "HTTP consume, Consul, limits, users verified",
        "consume_limited",
        "production",
    ),
    _in_environment("http_traced_consume", "HTTP consume, traced", "consume", "traced"),
    Row(
        key="http_hostile_consume",
        title="HTTP consume, beside hostile clients",
        traffic="consume_hostile",
        baseline=CONSUME,
        group="http",
        open_loop=False,
    ),
    _client("client_httpx", "httpx, HTTP consume", "httpx", None),
    _client("client_library", "our client, HTTP consume", "client_library", "client_httpx"),
    _serial("http_empty_serial", "HTTP, empty, 1 connection", "empty"),
    _serial("kernel_single_serial", "kernel, 1 a call, 1 connection", "kernel_single"),
    _serial("http_consume_serial", "HTTP consume, 1 connection", "consume"),
    Row(
        key="http_locked_none",
        title="HTTP consume, none locked",
        traffic="unlocked",
        group="locked",
        open_loop=False,
    ),
    Row(
        key="http_locked_others",
        title="HTTP consume, 4 others locked",
        traffic="unlocked",
        group="locked",
        open_loop=False,
        baseline="http_locked_none",
    ),
    Row(key="http_list_few_rows", title="list of 50, few rows", traffic="list", where="small", group="lists"),
    Row(
        key="http_list_many_rows",
        title="list of 50, many rows",
        traffic="list",
        where="large",
        group="lists",
        baseline="http_list_few_rows",
    ),
    Row(
        key="kernel_batch_few_rows",
        title="kernel, 50 a call, few rows",
        traffic="kernel_batch",
        where="small",
        connections=_FEW,
        group="sizes",
        open_loop=False,
    ),
    Row(
        key="kernel_batch_many_rows",
        title="kernel, 50 a call, many rows",
        traffic="kernel_batch",
        where="large",
        connections=_FEW,
        group="sizes",
        open_loop=False,
        baseline="kernel_batch_few_rows",
    ),
    _rest("rest_consume", "REST: HTTP consume", "rest", "consume", CONSUME),
    _rest("rest_hot_consume", "REST: HTTP consume, one wallet", "rest", "consume_hot", "rest_consume"),
    _rest(
        "rest_unbatched_consume",
        "REST: HTTP consume, one rpc each",
        "rest_unbatched",
        "consume",
        "rest_consume",
    ),
    _rest("rest_supabase_py", "REST: supabase-py, one rpc each", "project", "rpc", "rest_consume"),
    _rest(
        "rest_supabase_py_few",
        "REST: supabase-py, 8 connections",
        "project",
        "rpc",
        "rest_consume",
        connections=8,
    ),
    _rest("rest_balance", "REST: HTTP balance", "rest", "balance", "http_balance"),
    _rest("rest_group_commit", "REST: group commit, no HTTP", "project", "grouped", "rest_driver"),
    _rest("rest_driver", "REST: the driver, one rpc each", "project", "call", "rest_supabase_py"),
)
"""In the order in which they are measured."""

PGBENCH = (
    ("floor_pgbench", "floor, by pgbench", False),
    ("floor_hot_pgbench", "floor, one wallet, by pgbench", True),
)
"""Key, title, and whether it is about one wallet. They are measured with the row ``floor`` where pgbench exists."""

_NEEDS_CONSUME = ("http_locked", "http_production_consume", "http_traced_consume", "http_hostile_consume")


def chosen(names: frozenset[str]) -> tuple[Row, ...]:
    """The rows with these names, and the row ``http_consume`` where another needs it as its rate or baseline."""
    found = [row for row in ROWS if any(map(row.is_named, names))]
    needed = any(row.is_named(name) for row in found for name in _NEEDS_CONSUME)
    return tuple(row for row in ROWS if row in found or (needed and row.key == CONSUME))

"""Which rows there are, and how long each is measured."""

from dataclasses import dataclass
from typing import Literal

from bench.data import Size
from bench.rows_http import BATCH

Where = Literal["main", "small", "large", "rest", "rest one", "project", "everything", "traced"]

LETTERS = "abcdefghijklmnopqrstuvwx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of everything.

    Attributes:
        rounds: of the rows of a group, interleaved; the median is reported.
        round_s: how long a row is measured in a round.
        warm_s: how long it runs before that in each round.
        open_s: how long it is measured in an open loop, in all.
        open_parts: in how many pieces, interleaved with the other rows.
        try_s: how long each number of connections is tried.
        held_s: how long a foreign transaction holds wallets.
        held_rounds: how often.
        rest_factor: by how much longer rows over REST are measured: a request of theirs takes a good part of a short
            round.
        import_rounds: how often an import is timed.
        pgbench_s: whole seconds of pgbench for each of its rows; 0 for none.
        main: what is loaded for most rows.
        small: what is loaded where few rows are wanted.
        large: what is loaded where many are.
        zipf_wallets: among how many wallets row m draws.
    """

    rounds: int
    round_s: float
    warm_s: float
    open_s: float
    open_parts: int
    try_s: float
    held_s: float
    held_rounds: int
    rest_factor: float
    import_rounds: int
    pgbench_s: int
    main: Size
    small: Size
    large: Size
    zipf_wallets: int


SPREAD = 10_000
"""Wallets over which a load is spread."""

QUICK = Plan(
    rounds=3,
    round_s=0.15,
    warm_s=0.03,
    open_s=0.2,
    open_parts=1,
    try_s=0.05,
    held_s=2.0,
    held_rounds=1,
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
    try_s=0.5,
    held_s=2.0,
    held_rounds=5,
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
        key: its name in the results.
        title: what it is, for people.
        traffic: what is sent.
        where: to which database or the service on it. With the data of ``main``: ``rest``, a service that reaches them
            through a Supabase project; ``rest one``, such a service with one operation a call; ``project``, no service;
            ``everything`` and ``traced``, services with what ``around`` says.
        connections: of which the best is taken.
        beside: key of the row that it is compared with in the table.
        group: rows of a group are interleaved.
        open_loop: whether it is measured at a fixed rate too.
    """

    key: str
    title: str
    traffic: str
    where: Where = "main"
    connections: tuple[int, ...] = (64,)
    beside: str | None = None
    group: Literal["sql", "http", "one", "lists", "sizes", "held", "rest"]
    open_loop: bool = True

    @property
    def letter(self) -> str:
        """The issue's name of the row."""
        return self.key[0]


_TRIED = (1, 4, 16)
_FEW = (4,)


def _sql(key: str, title: str, traffic: str, connections: tuple[int, ...] = _TRIED) -> Row:
    return Row(
        key=key,
        title=title,
        traffic=traffic,
        connections=connections,
        beside=None if key == "a" else "a",
        group="sql",
    )


def _http(key: str, title: str, traffic: str, beside: str | None = "e") -> Row:
    return Row(key=key, title=title, traffic=traffic, beside=beside, group="http")


def _beside_f(key: str, title: str, traffic: str, where: Where) -> Row:
    return Row(key=key, title=title, traffic=traffic, where=where, beside="f", group="http")


def _program(key: str, title: str, traffic: str, beside: str | None) -> Row:
    return Row(key=key, title=title, traffic=traffic, connections=(8,), beside=beside, group="http")


def _one(key: str, title: str, traffic: str) -> Row:
    return Row(key=key, title=title, traffic=traffic, connections=(1,), group="one", open_loop=False)


def _rest(key: str, title: str, where: Where, traffic: str, beside: str, connections: int = 64) -> Row:
    return Row(
        key=key,
        title=title,
        traffic=traffic,
        where=where,
        connections=(connections,),
        beside=beside,
        group="rest",
    )


ROWS: tuple[Row, ...] = (
    _sql("a", "floor, one statement", "floor"),
    _sql("a hot", "floor, one wallet", "floor hot"),
    _sql("b", "naive, five statements", "naive"),
    _sql("b hot", "naive, one wallet", "naive hot"),
    _sql("c", "kernel, 1 a call", "kernel"),
    _sql("c hot", "kernel, 1 a call, one wallet", "kernel hot"),
    _sql("d", "kernel, 50 a call", "kernel 50", _FEW),
    _sql("d hot", "kernel, 50 a call, one wallet", "kernel 50 hot", _FEW),
    _http("e", "HTTP, empty endpoint", "empty", beside=None),
    _http("f", "HTTP consume", "consume"),
    _http("g", "HTTP consume, one wallet", "consume hot"),
    _http("h", "HTTP transfer", "transfer"),
    Row(
        key="i",
        title=f"HTTP batch of {BATCH}",
        traffic="batch",
        connections=(16,),
        beside="f",
        group="http",
    ),
    _http("j", "HTTP balance", "balance"),
    _http("l", "HTTP consume, 5 % replays", "replays"),
    _http("m", "HTTP consume, Zipf 1.0", "zipf"),
    _beside_f("u", "HTTP consume, Consul, limits, users verified", "consume limited", "everything"),
    _beside_f("x", "HTTP consume, traced", "consume", "traced"),
    _program("v", "httpx, HTTP consume", "raw httpx", None),
    _program("w", "our client, HTTP consume", "our client", "v"),
    _one("e 1", "HTTP, empty, 1 connection", "empty"),
    _one("c 1", "kernel, 1 a call, 1 connection", "kernel"),
    _one("f 1", "HTTP consume, 1 connection", "consume"),
    Row(key="n base", title="HTTP consume, none held", traffic="not held", group="held", open_loop=False),
    Row(
        key="n",
        title="HTTP consume, 4 others held",
        traffic="not held",
        group="held",
        open_loop=False,
        beside="n base",
    ),
    Row(key="k small", title="list of 50, few rows", traffic="list", where="small", group="lists"),
    Row(
        key="k large",
        title="list of 50, many rows",
        traffic="list",
        where="large",
        group="lists",
        beside="k small",
    ),
    Row(
        key="d small",
        title="kernel, 50 a call, few rows",
        traffic="kernel 50",
        where="small",
        connections=_FEW,
        group="sizes",
        open_loop=False,
    ),
    Row(
        key="d large",
        title="kernel, 50 a call, many rows",
        traffic="kernel 50",
        where="large",
        connections=_FEW,
        group="sizes",
        open_loop=False,
        beside="d small",
    ),
    _rest("o", "REST: HTTP consume", "rest", "consume", "f"),
    _rest("o hot", "REST: HTTP consume, one wallet", "rest", "consume hot", "o"),
    _rest("p", "REST: HTTP consume, one rpc each", "rest one", "consume", "o"),
    _rest("q", "REST: supabase-py, one rpc each", "project", "rpc", "o"),
    _rest("q few", "REST: supabase-py, 8 connections", "project", "rpc", "o", connections=8),
    _rest("r", "REST: HTTP balance", "rest", "balance", "j"),
    _rest("s", "REST: group commit, no HTTP", "project", "grouped", "t"),
    _rest("t", "REST: the driver, one rpc each", "project", "call", "q"),
)
"""In the order in which they are measured and shown."""

PGBENCH = (
    ("a pgbench", "floor, by pgbench", False),
    ("a hot pgbench", "floor, one wallet, by pgbench", True),
)
"""Key, title, and whether it is about one wallet: measured where pgbench is there."""


def chosen(letters: frozenset[str]) -> tuple[Row, ...]:
    """The rows of these letters. Row n is sent at a rate that comes from row f, u and x stand beside it: they bring f."""
    wanted = letters | ({"f"} if letters & {"n", "u", "x"} else frozenset[str]())
    return tuple(row for row in ROWS if row.letter in wanted)

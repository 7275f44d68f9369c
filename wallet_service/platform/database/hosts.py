# asyncpg ships no type information, so what it returns is annotated here by hand.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
"""Connects to one of the hosts that a URL names.

asyncpg would spend the whole time limit on the first host. A host that accepts connections and never answers would
then hide all hosts after it. Here each host has a share of the time, and the host that was good last comes first.
"""

import asyncio
import os
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

Role: TypeAlias = Literal["primary", "any"]
"""What the server has to be: the primary, which accepts writes, or also a standby."""

connect_by: ContextVar[float | None] = ContextVar("connect_by", default=None)
"""The end of the time of the call that needs a connection, by the loop's clock."""

_WANTED = "target_session_attrs"


class NoHostError(ConnectionError):
    """None of the hosts can be used. The message has the reason of each."""


class NoPrimaryError(NoHostError):
    """At least one server answered, but it is not what the URL or the settings ask for: it is a standby."""


@dataclass(frozen=True, slots=True)
class _Host:
    """One host of a URL.

    Attributes:
        dsn: the URL with this host alone.
        place: the host and its port, as the URL has them.
        wanted: what the server has to be, in asyncpg's words; None: as the URL says.
    """

    dsn: str
    place: str
    wanted: str | None = None


class Hosts:
    """The hosts of a URL, in the order in which they are asked.

    Args:
        dsn: of the database.
        role: what the server has to be, where the URL names several hosts and does not say it itself
            (``target_session_attrs``). One host is used whatever it is: there is no other.
    """

    def __init__(self, dsn: str, role: Role = "any") -> None:
        single = _single_hosts(dsn)
        asked = _option(dsn, _WANTED) or os.environ.get("PGTARGETSESSIONATTRS")
        if asked == "prefer-standby" and len(single) > 1:
            # In two rounds. asyncpg would accept the first host: it sees one host at a time.
            self._hosts = [_Host(*each, wanted) for wanted in ("standby", "any") for each in single]
        else:
            wanted = "primary" if role == "primary" and len(single) > 1 and asked is None else None
            self._hosts = [_Host(*each, wanted) for each in single]
        self._good: _Host | None = None

    async def connect(self, _dsn: str | None = None, /, *, timeout: float, **options: Any) -> Any:  # noqa: ASYNC109 - each host gets a share of it
        """Connect to the host that was good last, or else to the first that can be used.

        Args:
            timeout: seconds for all hosts together; less if the call that needs the connection has less left.
            options: of ``asyncpg.connect``.

        Raises:
            NoPrimaryError: only servers of the wrong role answered.
            NoHostError: none of several hosts can be used.
            Exception: any of ``asyncpg.connect``, for a URL with one host.
        """
        loop = asyncio.get_running_loop()
        until = min(loop.time() + timeout, connect_by.get() or loop.time() + timeout)
        failures: dict[str, Exception] = {}
        hosts = self._in_order()
        for place, host in enumerate(hosts):
            share = (until - loop.time()) / (len(hosts) - place)
            if host.wanted is not None:
                options[_WANTED] = host.wanted
            try:
                connection = await asyncpg.connect(host.dsn, timeout=max(share, 0), **options)
            except asyncpg.exceptions.TargetServerAttributeNotMatched as error:
                failures[host.place] = error
            except (
                OSError,
                asyncpg.PostgresError,
                asyncpg.InterfaceError,
                asyncpg.InternalClientError,
            ) as error:
                if len(hosts) == 1 or isinstance(error, asyncpg.ClientConfigurationError):
                    raise
                failures[host.place] = error
            else:
                self._good = host
                return connection
        raise _no_host(failures)

    def _in_order(self) -> Sequence[_Host]:
        """All hosts, the last good one first."""
        return sorted(self._hosts, key=lambda host: host is not self._good)


def _no_host(failures: dict[str, Exception]) -> NoHostError:
    other_role = [
        isinstance(error, asyncpg.exceptions.TargetServerAttributeNotMatched) for error in failures.values()
    ]
    reasons = "; ".join(
        f"{place}: {'it is not a server of the role that is asked for' if is_other else _reason(error)}"
        for (place, error), is_other in zip(failures.items(), other_role, strict=True)
    )
    if any(other_role):
        return NoPrimaryError(f"no host is a primary at present ({reasons})")
    return NoHostError(f"no host can be used ({reasons})")


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer"
    return str(error) or type(error).__name__


def _option(dsn: str, name: str) -> str | None:
    return parse_qs(urlsplit(dsn).query).get(name, [None])[-1]


def _single_hosts(dsn: str) -> Sequence[tuple[str, str]]:
    """The URL with each of its hosts alone, and that host; the URL itself where it does not list hosts."""
    url = urlsplit(dsn)
    login, at, listed = url.netloc.rpartition("@")
    if listed:
        return [
            (urlunsplit(url._replace(netloc=f"{login}{at}{host}")), unquote(host))
            for host in listed.split(",")
        ]
    options = parse_qs(url.query)
    hosts = options.get("host", [""])[-1].split(",")
    ports = options.get("port", [""])[-1].split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(hosts) == 1 or len(ports) != len(hosts):  # asyncpg reports what is wrong with the numbers
        return [(dsn, hosts[0] or "(default)")]
    others = [(name, value[-1]) for name, value in options.items() if name not in ("host", "port")]
    return [
        (
            urlunsplit(url._replace(query=urlencode([*others, ("host", host), *_given("port", port)]))),
            f"{host}:{port}" if port else host,
        )
        for host, port in zip(hosts, ports, strict=True)
    ]


def _given(name: str, value: str) -> Sequence[tuple[str, str]]:
    return [(name, value)] if value else []

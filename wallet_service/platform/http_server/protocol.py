"""One connection: uvicorn's protocol, with limits, deadlines, refusals as problems, and a close that loses nothing."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import httptools
from uvicorn._types import ASGI3Application, HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from wallet_service.core.errors import Overloaded, Unavailable, WalletError
from wallet_service.platform.http_server import heads, limits
from wallet_service.platform.http_server.cycle import Cycle, Outgoing
from wallet_service.platform.http_server.heads import is_host
from wallet_service.platform.http_server.limits import HEAD_BYTES, PARSED, PARSED_BYTES, Deadlines
from wallet_service.platform.http_server.metrics import ConnectionMetrics
from wallet_service.platform.http_server.phase import Phase
from wallet_service.platform.http_server.problems import RequestTimeout
from wallet_service.platform.http_server.refusals import REFUSAL

# As names of the module, which cost half as much to look up.
_IDLE, _HEAD, _BODY, _RESPONSE, _REFUSED, _CLOSING = Phase


_UNKNOWN = cast("HTTPScope", {})  # nothing of the request was parsed


class _Refused(Exception):
    """Stops the parser; the connection has the problem."""


class Connection(HttpToolsProtocol):
    """One connection.

    Attributes:
        phase: what it waits for.
        since: when the phase began, in seconds of the loop's clock.
        was_used: whether a request of it has been answered.
    """

    # uvicorn's own attributes, which have these types once the connection is open and its first head complete.
    cycle: Cycle
    parser: httptools.HttpRequestParser  # pyright: ignore[reportIncompatibleVariableOverride]  # None when it is lost
    url: bytes

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        *,
        deadlines: Deadlines,
        metrics: ConnectionMetrics,
        refusals: ASGI3Application,
        lost: Callable[[], None],
        is_for_health: bool = False,
    ) -> None:
        super().__init__(config, server_state, app_state, asyncio.get_running_loop())
        self.phase = _IDLE
        self.since = self.loop.time()
        self.was_used = False
        self._application: ASGI3Application = cast("Any", config).loaded_app
        self._deadlines = deadlines
        self._metrics = metrics
        self._refusals = refusals
        self._lost = lost
        self._is_for_health = is_for_health
        self._is_stopping = False
        self._refusal: WalletError | None = None
        self._is_upgrade = False  # the refusal is because of the header Upgrade
        self._hosts = 0  # headers of that name
        self._chunk = 0  # bytes that arrived last
        self._fed = 0  # bytes since the head began, or since the last byte of a body
        self._received = 0  # bytes of the body
        self._dropped = 0  # bytes that arrived after the response
        self._may_drop = limits.LINGER_BYTES
        self._heard_at = 0.0  # when something was dropped last
        self._unsent = 0  # bytes of responses, at the last check
        self._unsent_since = 0.0

    # The transport calls these.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Part of the protocol."""
        super().connection_made(transport)
        self._socket = transport
        self.transport = cast("asyncio.Transport", Outgoing(transport, self.close, self.is_closing))

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of the protocol."""
        self.phase = _CLOSING
        super().connection_lost(exc)
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Part of the protocol."""
        phase = self.phase
        if phase is _CLOSING or phase is _REFUSED:
            self._drop(len(data))
            return
        if phase is _IDLE:
            self.phase, self.since, self._fed = _HEAD, self.loop.time(), 0
            self.scope = _UNKNOWN
        self._chunk = len(data)
        self._fed += self._chunk
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self._can_ignore_upgrade(data):
                self._refuse(self._refusal or heads.not_http(error))
            return
        if self._fed > HEAD_BYTES and (self.phase is _HEAD or self.phase is _BODY):
            self._refuse(heads.head_too_large())

    # The parser calls these.

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._hosts = 0
        if self.phase is not _HEAD:  # it was sent before the response to the one before
            self.phase, self.since, self._fed = _HEAD, self.loop.time(), 0

    def on_url(self, url: bytes) -> None:
        """A part of the target."""
        self.url += url
        if len(self.url) > limits.TARGET_BYTES:
            self._stop_parsing(heads.target_too_long())

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer."""
        name = name.lower()
        if len(value) > PARSED_BYTES and name in PARSED:
            self._stop_parsing(heads.header_too_long(name.decode()))
        if name == b"host":
            self._hosts += 1
            if not is_host(value):
                self._stop_parsing(heads.not_a_host())
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete: start the application, or let the request wait for the responses before it."""
        parser, scope, app = self.parser, self.scope, self._application
        version = parser.get_http_version()
        self._check_head(version)
        scope["method"] = parser.get_method().decode("ascii")
        if version != "1.1":
            scope["http_version"] = version
        heads.add_target(scope, self.url, self.root_path)
        keep_alive = version == "1.1" and parser.should_keep_alive() and not self._is_stopping
        if self._is_for_health:
            keep_alive = False
            if not scope["path"].startswith("/health"):
                app = self._refusals
                cast("dict[str, Any]", scope)[REFUSAL] = Overloaded("The service has too many connections")
                self._metrics.refused.inc()
        previous = self.cycle
        cycle = self._begin_cycle(scope, keep_alive=keep_alive)
        self.phase, self.since, self._fed, self._received = _BODY, self.loop.time(), 0, 0
        self.headers = []  # for trailers, which have no meaning here
        if previous is None or previous.response_complete:  # pyright: ignore[reportUnnecessaryComparison]  # at first
            self._start_asgi_task(cycle, app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app))

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._fed = 0
        self._received += len(body)
        cycle = self.cycle
        if cycle.response_complete:
            self._drop(len(body))
            return
        cycle.body += body
        if len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        cycle.message_event.set()

    def on_message_complete(self) -> None:
        """The request is complete."""
        cycle = self.cycle
        if cycle.response_complete:  # it did not wait for the body
            if self.phase is _BODY:
                self.phase, self.since = _IDLE, self.loop.time()
            return
        self.phase = _RESPONSE
        cycle.more_body = False
        cycle.message_event.set()

    # The response calls these.

    def on_response_complete(self) -> None:
        """Continue with the next request."""
        self.server_state.total_requests += 1
        self.was_used = True
        phase = self.phase
        if phase is _CLOSING:
            return
        self.flow.resume_reading()
        self.since, self._dropped = self.loop.time(), 0
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif phase is _RESPONSE:
            self.phase = _IDLE
        elif phase is _REFUSED:
            self._answer_refusal()

    def close(self) -> None:
        """Close the connection once what was written is sent.

        If the client may still be sending, read on for a while: unread bytes would reset it, and lose the response.
        """
        phase = self.phase
        if phase is _CLOSING:
            return
        self.phase = _CLOSING
        self.since = self._heard_at = self.loop.time()
        self._dropped = 0
        if phase is _IDLE or phase is _RESPONSE:
            self._socket.close()
        elif not self._socket.is_closing():
            self._socket.write_eof()
            self.flow.resume_reading()

    def is_closing(self) -> bool:
        """Whether nothing more can be sent."""
        return self.phase is _CLOSING

    # The server and ``Connections`` call these.

    def shutdown(self) -> None:
        """Complete the requests that have arrived, then close the connection."""
        self._is_stopping = True
        if not self._is_answered:
            self.since = self.loop.time()
            self.cycle.close_after()
        elif self.phase is _HEAD:
            self._refuse(_stopping())
        else:
            self.close()

    @property
    def is_evictable(self) -> bool:
        """Whether it can be closed for the sake of another one: no request of it is under way."""
        phase = self.phase
        is_unused = phase is _CLOSING or ((phase is _IDLE or phase is _HEAD) and self._is_answered)
        return is_unused and not self._socket.get_write_buffer_size()

    def evict(self) -> None:
        """Close it for the sake of another one."""
        self._metrics.closed["limit"].inc()
        self.phase = _CLOSING
        self._socket.abort()

    def check(self, now: float) -> None:
        """Enforce the deadline of the phase, at this time of the loop's clock."""
        if self._is_sending(now):
            return
        phase, elapsed_s = self.phase, now - self.since
        if phase is _IDLE:
            if elapsed_s >= self._deadlines.idle_s:
                self.close()
        elif phase is _HEAD:
            if elapsed_s >= self._deadlines.head_s and self._is_answered:
                self._metrics.closed["head_timeout"].inc()
                self._refuse(RequestTimeout("The head of the request did not arrive in time"))
        elif phase is _BODY:
            self._check_body(now)
        elif phase is _CLOSING:
            most_s = limits.STOP_S if self._is_stopping else limits.LINGER_S
            if elapsed_s >= most_s or now - self._heard_at >= min(most_s, limits.LINGER_IDLE_S):
                self._socket.abort()

    # The steps of these.

    @property
    def _is_answered(self) -> bool:
        """Whether there is no request whose response is missing."""
        cycle = self.cycle
        return cycle is None or cycle.response_complete  # pyright: ignore[reportUnnecessaryComparison]  # at first

    def _check_body(self, now: float) -> None:
        elapsed_s = now - self.since
        if self.cycle.response_complete:
            if elapsed_s >= limits.LINGER_S:
                self.close()
        elif self._is_stopping:
            if elapsed_s >= limits.STOP_S:
                self._refuse(_stopping())
        elif self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self.since = now  # the client waits for the service
        elif elapsed_s >= self._deadlines.body_s + self._received / limits.BODY_BYTES_PER_S:
            self._metrics.closed["body_timeout"].inc()
            self._refuse(RequestTimeout("The body of the request did not arrive in time"))

    def _is_sending(self, now: float) -> bool:
        """Whether a response is still being sent. A client that does not read it is disconnected."""
        unsent = self._socket.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif unsent and now - self._unsent_since >= limits.SEND_S:
            self._metrics.closed["send_timeout"].inc()
            self._socket.abort()
        return unsent > 0

    def _drop(self, size: int) -> None:
        self._dropped += size
        self._heard_at = self.loop.time()
        if self._dropped > self._may_drop:
            self._socket.abort()

    def _stop_parsing(self, problem: WalletError) -> None:
        self._refusal = problem
        raise _Refused

    def _check_head(self, version: str) -> None:
        if version not in {"1.1", "1.0"}:
            self._stop_parsing(heads.wrong_version(version))
        if self._hosts != 1 and (self._hosts or version == "1.1"):
            self._stop_parsing(heads.wrong_hosts(self._hosts))
        if self.parser.should_upgrade():
            self._is_upgrade = True
            self._stop_parsing(heads.not_upgraded())
        if len(self.headers) > limits.HEADERS:
            self._stop_parsing(heads.too_many_headers())
        if self._fed > HEAD_BYTES or self._chunk > HEAD_BYTES:  # else the head can't be larger
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES:
                self._stop_parsing(heads.head_too_large())

    def _can_ignore_upgrade(self, data: bytes) -> bool:
        """Parse a request again without its header Upgrade, if that is why it was refused, and its head began here."""
        is_upgrade, self._is_upgrade = self._is_upgrade, False
        if not is_upgrade or self._fed != self._chunk or (plain := heads.without_upgrade(data)) == data:
            return False
        self._refusal, self._fed = None, 0
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's
        self.data_received(plain)
        return True

    def _begin_cycle(self, scope: HTTPScope, *, keep_alive: bool) -> Cycle:
        self.cycle = Cycle(  # pyright: ignore[reportIncompatibleVariableOverride]  # every cycle is made here
            scope=scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=keep_alive,
            on_response=self.on_response_complete,
        )
        if self.expect_100_continue:
            self.cycle.expect_body()
        return self.cycle

    def _refuse(self, problem: WalletError) -> None:
        """Respond with a problem to what can't be received or parsed, after the responses that are under way."""
        phase, self.phase = self.phase, _REFUSED
        self._refusal = problem
        if phase is _BODY:
            if self.cycle.response_complete:
                self.close()
            else:
                self.cycle.fail(problem)
            return
        self._metrics.refuse_head(problem.code)
        self._may_drop = limits.HEAD_LINGER_BYTES
        if self._is_answered:
            self._answer_refusal()

    def _answer_refusal(self) -> None:
        self.expect_100_continue = False
        cycle = self._begin_cycle(self._refused_scope(), keep_alive=False)
        self._start_asgi_task(cycle, self._refusals)

    def _refused_scope(self) -> HTTPScope:
        """As much of the request as is known."""
        if self.scope is _UNKNOWN:
            super().on_message_begin()  # nothing of it is
        method = self.parser.get_method().decode("ascii") if self.url else ""
        more = {"method": method, "path": "", "raw_path": b"", "query_string": b"", REFUSAL: self._refusal}
        return cast("HTTPScope", {**self.scope, **more})


def _stopping() -> Unavailable:
    problem = Unavailable("The service stops, and the request had not arrived completely")
    problem.is_logged = False  # no fault: a stop is quiet
    return problem

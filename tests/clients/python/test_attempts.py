"""When a call is sent again, and how it ends: without a network, and with a clock that the test sets."""

import asyncio
import errno
import json
import math
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx
import pytest
from support.credits_server import ENTRY
from support.problems import ERRORS
from wallet_client import (
    BadGateway,
    InternalError,
    NoAnswer,
    NotFound,
    Operation,
    OutcomeUnknown,
    Overloaded,
    RateLimited,
    ServiceError,
    Unauthorized,
    UnexpectedAnswer,
    VersionMismatch,
    WalletBusy,
    WalletError,
)
from wallet_client._attempts import Attempts
from wallet_client._context import Context
from wallet_client._endpoints import FixedEndpoint
from wallet_client._retries import SHORTEST_ATTEMPT_S, RetryPolicy, retry_after_s, system_text
from wallet_client._sync.statistics import StatisticsResource
from wallet_client._sync.transactions import TransactionsResource
from wallet_client._sync.wallets import WalletsResource

from wallet_service.platform.web.problems import problem_document

ID = "0199d0a8-0000-7000-8000-0000000000aa"
JSON = httpx.Headers({"Content-Type": "application/json"})
SENT = [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError]
BALANCE = (
    b'{"balance":"1","locked_balance":"0","available_balance":"1","credit_limit":"0","wallet_id":"w",'
    b'"currency":"CREDIT","wallet_version":1,"at":null}'
)
UNSENT = [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError]


class Recorder:
    """In the place of a runner: returns each call instead of carrying it out."""

    def run(self, call: Any) -> Any:
        return call


_RECORDER: Any = Recorder()
NOTHING: Any = None
"""None, where a caller without a type checker gives it."""

TRANSACTIONS, WALLETS = TransactionsResource(_RECORDER), WalletsResource(_RECORDER)


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class CallUnderTest:
    """A call whose attempts end as the test says."""

    def __init__(self, call: Any = None, context: Context | None = None, **options: Any) -> None:
        self.clock = Clock()
        context = context or Context(FixedEndpoint("http://wallet"), "a-key", options, self.clock)
        self.attempts: Attempts[Any] = Attempts(
            context, call or TRANSACTIONS.consume(ID, 1, idempotency_key="the-key")
        )
        self.attempts.__enter__()
        self.requests: list[httpx.Request] = []

    def ends(self, end: Any, wait: bool = True, takes_s: float = 0.0) -> float | None:
        """The next attempt ends with an exception, or (status, code), or (status, headers, body). Then wait."""
        request = self.attempts.request()
        assert request is not None
        self.requests.append(request)
        self.clock.now_s += takes_s
        if isinstance(end, type):
            wait_s: float | None = self.attempts.failed(end("so be it"))
        else:
            status, *rest = end
            headers, body = rest if len(rest) == 2 else (JSON, problem(rest[0]))
            wait_s = self.attempts.responded(status, httpx.Headers(headers), body)
        if wait and wait_s is not None:
            self.clock.now_s += wait_s
        return wait_s

    def always_ends(self, end: Any, takes_s: float) -> None:
        """Every further attempt ends so, until the call does."""
        while True:
            self.ends(end, takes_s=takes_s)


def problem(code: str) -> bytes:
    return httpx.Request("POST", "http://x", json=problem_document(ERRORS[code](), "the-request")).content


@pytest.mark.parametrize("end", [*SENT, *UNSENT, *((each.status, each.code) for each in ERRORS.values())])
def test_only_what_may_pass_is_sent_again_and_with_the_same_key(end: Any) -> None:
    tested = CallUnderTest()
    again = isinstance(end, type) or ERRORS[end[1]].retryable

    if again:
        tested.ends(end)
        tested.ends(end)
        first, second = tested.requests
        numbers = [request.headers.pop("Idempotency-Attempt") for request in tested.requests]
        assert (first.content, first.headers, first.url) == (second.content, second.headers, second.url)
        assert first.headers["Idempotency-Key"] == "the-key"
        assert (numbers, UUID(first.headers["Idempotency-Call"]).version) == (["1", "2"], 7)
    else:
        with pytest.raises(WalletError) as caught:
            tested.ends(end)
        assert caught.value.idempotency_key == "the-key"
        assert "the-key" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "again"), [(429, True), (500, False), (501, False), (502, True), (503, True), (504, True)]
)
def test_an_error_of_a_proxy_is_handled_by_its_status(status: int, again: bool) -> None:
    page = (status, {"Content-Type": "text/html"}, b"<html>Bad gateway</html>")
    if again:
        assert CallUnderTest().ends(page) is not None
    with pytest.raises(ServiceError, match=rf"a proxy or gateway responded with {status} \(text/html\)"):
        CallUnderTest(TRANSACTIONS.get(ID), max_retries=0).ends(page)


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        ([httpx.ReadTimeout], OutcomeUnknown),
        ([httpx.ConnectError], NoAnswer),
        ([httpx.ReadError, httpx.ConnectError], OutcomeUnknown),
        ([(500, "internal_error")], OutcomeUnknown),
        ([(503, "unavailable")], OutcomeUnknown),
        ([(503, "wallet_busy")], WalletBusy),
        ([(502, {}, b"")], OutcomeUnknown),
        ([(200, {"Content-Type": "text/html"}, b"<html>")], OutcomeUnknown),
        ([(201, JSON, b'{"surprise": 1}')], OutcomeUnknown),
        ([(302, {"Location": "http://elsewhere"}, b"")], UnexpectedAnswer),
        # A refusal by a check before the ledger says nothing about the first attempt.
        ([httpx.ReadTimeout, (401, "unauthorized")], OutcomeUnknown),
        ([httpx.ReadTimeout, (429, "rate_limited")], OutcomeUnknown),
        ([httpx.ReadTimeout, (404, {"Content-Type": "text/html"}, b"<html>")], OutcomeUnknown),
        *(
            ([httpx.ReadTimeout, (ERRORS[code].status, code)], OutcomeUnknown)
            for code in (
                *("not_found", "method_not_allowed", "payload_too_large", "unsupported_media_type"),
                *(
                    "malformed_request",
                    "validation_failed",
                    "user_unknown",
                    "organization_unknown",
                    "forbidden",
                ),
            )
        ),
        ([(401, "unauthorized")], Unauthorized),
        ([(404, "not_found")], NotFound),
    ],
)
def test_what_a_debit_ends_with(ends: list[Any], kind: type[WalletError]) -> None:
    tested = CallUnderTest(max_retries=len(ends) - 1)
    for end in ends[:-1]:
        tested.ends(end)

    with pytest.raises(WalletError) as caught:
        tested.ends(ends[-1])

    assert type(caught.value) is kind
    assert caught.value.idempotency_key == "the-key"
    if kind is OutcomeUnknown:
        assert isinstance(caught.value.__cause__, WalletError)


@pytest.mark.parametrize(
    "code", ["insufficient_funds", "wallet_not_found", "wallet_frozen", "amount_precision"]
)
def test_a_refusal_by_the_ledger_after_a_timeout_says_that_the_first_attempt_may_still_arrive(
    code: str,
) -> None:
    with pytest.raises(ServiceError) as certain:
        CallUnderTest().ends((ERRORS[code].status, code))
    assert not certain.value.earlier_attempt_open
    tested = CallUnderTest()
    tested.ends(httpx.ReadTimeout)
    with pytest.raises(ServiceError) as caught:
        tested.ends((ERRORS[code].status, code))
    assert type(caught.value) is type(certain.value)
    assert (caught.value.earlier_attempt_open, caught.value.idempotency_key) == (True, "the-key")
    assert "an earlier attempt may still arrive" in str(caught.value)


@pytest.mark.parametrize("code", ["insufficient_funds", "batch_aborted", "a_newer_code"])
def test_a_refusal_that_supersedes_earlier_attempts_leaves_none_open(code: str) -> None:
    tested = CallUnderTest()
    tested.ends(httpx.ReadTimeout)
    body = json.dumps({"code": code, "status": 409, "supersedes_earlier_attempts": True}).encode()
    with pytest.raises(ServiceError) as caught:
        tested.ends((409, JSON, body))
    assert (caught.value.code, caught.value.earlier_attempt_open) == (code, False)


def test_each_call_has_an_id_of_its_own_and_reads_have_none() -> None:
    calls = [TRANSACTIONS.consume(ID, 1, idempotency_key="the-key") for _ in range(2)]
    ids = {CallUnderTest(call).attempts.request() for call in calls}
    assert len({request.headers["Idempotency-Call"] for request in ids if request is not None}) == 2
    for call in (TRANSACTIONS.get(ID), WALLETS.close(ID)):
        request = CallUnderTest(call).attempts.request()
        assert request is not None
        assert not [name for name in request.headers if name.startswith("idempotency")]


@pytest.mark.parametrize(
    ("silent", "dry_run", "is_open"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_the_refusals_in_a_batch_after_a_timeout_say_so_too(
    silent: bool, dry_run: bool, is_open: bool
) -> None:
    own = Operation.consume(ID, 1, idempotency_key="its-own")
    operations = [Operation.consume(ID, 1), own, own, own]
    tested = CallUnderTest(TRANSACTIONS.batch(operations, idempotency_key="the-batch", dry_run=dry_run))
    if silent:
        tested.ends(httpx.ReadTimeout)
    codes = ("insufficient_funds", "upstream_unavailable", "forbidden")
    refusals = [{"status": "refused", "problem": problem_document(ERRORS[code]())} for code in codes]
    refusals += [{**refusals[0], "problem": refusals[0]["problem"] | {"supersedes_earlier_attempts": True}}]
    tested.ends((200, JSON, httpx.Request("POST", "http://x", json={"results": refusals}).content))
    *errors, superseding = [result.error for result in tested.attempts.result]
    assert (superseding.earlier_attempt_open, superseding.outcome_unknown) == (False, False)
    assert [error.earlier_attempt_open for error in errors] == [is_open] * 3
    assert [error.outcome_unknown for error in errors] == [False, is_open, is_open]
    assert ["an earlier attempt may have done it" in str(error) for error in errors] == [
        False,
        is_open,
        is_open,
    ]
    assert [error.idempotency_key for error in errors] == ["the-batch/0", "its-own", "its-own"]


def test_a_dry_run_leaves_nothing_open() -> None:
    with pytest.raises(NoAnswer):
        CallUnderTest(TRANSACTIONS.consume(ID, 1, dry_run=True), max_retries=0).ends(httpx.ReadTimeout)


@pytest.mark.parametrize("end", [httpx.ReadTimeout, (500, "internal_error"), (502, {}, b"")])
def test_a_read_leaves_nothing_open(end: Any) -> None:
    with pytest.raises((NoAnswer, InternalError, BadGateway)):
        CallUnderTest(TRANSACTIONS.get(ID), max_retries=0).ends(end)


@pytest.mark.parametrize(
    "call", [WALLETS.update(ID, name="new", if_version=3), WALLETS.close(ID, if_version=3)]
)
def test_without_a_key_a_refusal_after_a_timeout_leaves_the_outcome_unknown(call: Any) -> None:
    with pytest.raises(VersionMismatch):
        CallUnderTest(call).ends((412, "version_mismatch"))
    tested = CallUnderTest(call)
    tested.ends(httpx.ReadTimeout)
    with pytest.raises(OutcomeUnknown) as caught:
        tested.ends((412, "version_mismatch"))
    assert isinstance(caught.value.__cause__, VersionMismatch)


def test_waits_grow_and_are_chosen_by_chance() -> None:
    waits = [
        [float(tested.ends(httpx.ReadTimeout) or 0) for _ in range(6)]
        for tested in (CallUnderTest() for _ in range(300))
    ]

    for retry in range(6):
        longest_s = 0.1 * 2**retry
        seen = [each[retry] for each in waits]
        assert all(0 <= wait_s <= longest_s for wait_s in seen)
        assert min(seen) < longest_s * 0.1
        assert max(seen) > longest_s * 0.9


def test_many_retries_do_not_overflow_the_wait() -> None:
    assert 0 <= RetryPolicy(max_retries=10_000, budget_s=1e9).wait_s(9_999, None) <= 5


def test_what_the_service_asks_for_is_waited() -> None:
    limited = {"Content-Type": "application/problem+json", "Retry-After": "7"}
    tested = CallUnderTest()

    wait_s = tested.ends((429, limited, problem("rate_limited")))

    assert wait_s is not None
    assert 7 <= wait_s <= 7.1
    with pytest.raises(RateLimited) as caught:
        CallUnderTest().ends((429, limited | {"Retry-After": "31"}, problem("rate_limited")))
    assert caught.value.retry_after_s == 31


def test_retry_after_is_seconds_or_a_date() -> None:
    at = datetime.now(UTC) + timedelta(seconds=100)

    assert retry_after_s("120") == 120
    assert 98 < (retry_after_s(format_datetime(at, usegmt=True)) or 0) <= 100
    assert retry_after_s(format_datetime(at - timedelta(days=1), usegmt=True)) == 0
    assert [retry_after_s(value) for value in (None, "", "soon", "-1", "1.5", "٣")] == [None] * 6
    for zone in ("+9999", "+99999999999999999999", "+2300"):
        assert not retry_after_s(f"Mon, 01 Jan 0001 00:00:00 {zone}")


def test_no_attempt_and_no_wait_goes_beyond_the_budget() -> None:
    tested = CallUnderTest(timeout_s=4.0, retry_budget_s=10.0, max_retries=1000)

    with pytest.raises(OutcomeUnknown):
        tested.always_ends(httpx.ReadTimeout, takes_s=2.5)

    assert tested.clock.now_s <= 10.0 + 2.5
    longest = [request.extensions["timeout"]["read"] for request in tested.requests]
    assert longest[0] == 4.0
    assert SHORTEST_ATTEMPT_S <= longest[-1] < 4.0


@pytest.mark.parametrize(("at_s", "again"), [(0.6, True), (0.8, False)])
def test_an_attempt_without_time_for_a_response_is_not_started(at_s: float, again: bool) -> None:
    tested = CallUnderTest(retry_budget_s=1.0)
    tested.clock.now_s = at_s
    if again:
        tested.ends((503, "overloaded"))
    tested.clock.now_s = 0.8
    with pytest.raises(Overloaded):  # what is known: nothing was done
        tested.ends((503, "overloaded"))


def test_a_client_whose_calls_fail_stops_to_send_them_again() -> None:
    context = Context(FixedEndpoint("http://wallet"), "a-key", {"connect_budget_s": 30}, Clock())

    def attempts_of_a_call(*ends: Any) -> int:
        tested = CallUnderTest(WALLETS.balance(ID), context)
        for number, end in enumerate(ends, 1):
            try:
                if tested.ends(end, wait=False) is None:
                    return number
            except NoAnswer:
                return number
        return len(ends)

    away = (httpx.ConnectError,) * 11
    assert [attempts_of_a_call(*away) for _ in range(11)] == [11] * 10 + [
        1
    ]  # 500 tokens, 5 for each of 10 retries
    balance = (200, JSON, BALANCE)
    assert attempts_of_a_call(balance) == 1
    assert attempts_of_a_call(*away) == 1
    for _ in range(4):
        attempts_of_a_call(balance)
    assert attempts_of_a_call(httpx.ConnectError, balance) == 2  # which gives back the 5
    assert attempts_of_a_call(httpx.ReadTimeout, balance) == 1  # a time-out costs 10
    assert attempts_of_a_call(httpx.ConnectError, balance) == 2


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        *(
            ({name: value}, ValueError)
            for name in ("timeout_s", "retry_budget_s")
            for value in (0, -1, math.nan)
        ),
        ({"max_retries": -1}, ValueError),
        ({"max_connections": 0}, ValueError),
        ({"timeout_s": None}, TypeError),
        ({"max_retries": True}, TypeError),
        ({"timeout": 5}, TypeError),
        ({"on_retry": asyncio.sleep}, TypeError),
        ({"user_agent": "a\nb"}, ValueError),
    ],
)
def test_an_option_that_is_none_is_refused(options: Any, kind: type[Exception]) -> None:
    (name,) = options
    with pytest.raises(kind, match=name):
        Context(FixedEndpoint("http://wallet"), "a-key", options)


def test_the_number_of_attempts_is_limited() -> None:
    tested = CallUnderTest(max_retries=2, retry_budget_s=1000.0)

    tested.ends(httpx.ConnectError)
    tested.ends(httpx.ConnectError)
    with pytest.raises(NoAnswer, match=r"no response in 3 attempts \(ConnectError at http://wallet\)$"):
        tested.ends(httpx.ConnectError)

    assert len(tested.requests) == 3


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout])
def test_where_nothing_listens_a_call_ends_within_three_seconds(error: Any) -> None:
    for _ in range(100):  # the waits are chosen by chance
        tested = CallUnderTest()
        with pytest.raises(NoAnswer, match=f"{error.__name__} at http://wallet"):
            tested.always_ends(error, takes_s=0.01)
        assert tested.clock.now_s <= 3.0
        assert len(tested.requests) >= 3
        assert all(each.extensions["timeout"]["connect"] <= 3.0 for each in tested.requests)


@pytest.mark.parametrize("end", [httpx.ReadTimeout, (503, "overloaded"), httpx.PoolTimeout])
def test_a_call_that_reached_the_service_has_its_whole_budget(end: Any) -> None:
    tested = CallUnderTest(max_retries=1000)
    tested.ends(end)
    with pytest.raises(WalletError):
        tested.always_ends(httpx.ConnectError, takes_s=0.1)
    assert tested.clock.now_s > 20.0


def test_a_failed_connection_names_the_address_and_the_cause_of_the_system() -> None:
    tested = CallUnderTest(max_retries=0)
    cause = ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 8208)")
    several = OSError("All connection attempts failed")
    several.__cause__ = ExceptionGroup("one for each address", [cause, cause])
    error = httpx.ConnectError("All connection attempts failed")
    error.__cause__ = several
    tested.attempts.request()
    with pytest.raises(NoAnswer) as caught:
        tested.attempts.failed(error)
    assert str(caught.value) == "consume: no response (ConnectError at http://wallet: Connection refused)"
    assert system_text(httpx.LocalProtocolError("Illegal header value b'secret'")) == ""
    assert (
        system_text(socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
        == "Name or service not known"
    )


def test_an_answer_that_goes_on_and_on_or_is_too_large_is_not_read() -> None:
    tested = CallUnderTest(max_answer_bytes=10, timeout_s=5.0)
    tested.attempts.request()
    body = tested.attempts.body_buffer()
    body.add(b"12345")
    with pytest.raises(UnexpectedAnswer, match="more than 10 bytes"):
        body.add(b"678901")
    late = tested.attempts.body_buffer()
    tested.clock.now_s += 5.1
    with pytest.raises(httpx.ReadTimeout):
        late.add(b"1")


def test_json_that_breaks_off_is_asked_for_again() -> None:
    assert CallUnderTest().ends((201, JSON, b'{"transaction_id": "0199')) is not None


@pytest.mark.parametrize("key", ["", " ", "a\r\nb", "ü", "k" * 256])
def test_a_key_that_no_header_can_carry_is_not_sent(key: str) -> None:
    with pytest.raises(ValueError, match="idempotency key"):
        CallUnderTest(TRANSACTIONS.consume(ID, 1, idempotency_key=key))


@pytest.mark.parametrize("api_key", ["", "hidden\nkey", "hidden-ü", " hidden"])
def test_an_api_key_that_no_header_can_carry_is_refused_without_being_shown(api_key: str) -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        Context(FixedEndpoint("http://wallet"), api_key, {})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "wallet",
        "ftp://wallet",
        "http://",
        "http://u:p@wallet",
        "http://wallet?a=1",
        "http://wallet:99999",
        "http://wallet:abc",
        "http://wal let",
        "http://wallet/api/v1/",
    ],
)
def test_an_address_that_can_not_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base_url"):
        FixedEndpoint(url)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_is_not_a_step_in_the_path(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        TRANSACTIONS.get(name)
    assert TRANSACTIONS.get("a/../b").target == "/api/v1/transactions/a%2F..%2Fb"


@pytest.mark.parametrize(
    "build",
    [
        lambda: WALLETS.create(user_id=NOTHING),
        lambda: TRANSACTIONS.transfer(ID, NOTHING, 1),
        lambda: TRANSACTIONS.get(NOTHING),
        lambda: Operation.consume(NOTHING, 1),
        lambda: TRANSACTIONS.consume(ID, 1, metadata={"when": object()}),
        lambda: WALLETS.update(ID, credit_limit=NOTHING),
    ],
)
def test_what_names_nothing_or_is_no_json_is_not_sent(build: Callable[[], Any]) -> None:
    with pytest.raises(TypeError, match=r"not NoneType|object is not JSON"):
        build()


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN")])
def test_metadata_hold_finite_numbers(number: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        TRANSACTIONS.consume(ID, 1, metadata={"rate": number})


MOMENTS = [
    ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00+00:00"),
    ("2026-11-01T01:30:00.5+01:30", "2026-11-01T01:30:00.500000+01:30"),
    (datetime(2026, 11, 1, tzinfo=UTC), "2026-11-01T00:00:00+00:00"),
]


@pytest.mark.parametrize(("given", "sent"), MOMENTS)
def test_a_moment_is_text_or_a_datetime(given: Any, sent: str) -> None:
    call: Any = TRANSACTIONS.consume(ID, 1, effective_at=given)
    assert json.loads(call.body)["effective_at"] == sent
    call = WALLETS.balance(ID, at=given)
    assert parse_qs(urlsplit(call.target).query)["at"] == [sent]
    statistics: Any = StatisticsResource(_RECORDER).wallet(ID, from_=given, to=given)
    assert parse_qs(urlsplit(statistics.target).query) == {"from": [sent], "to": [sent]}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ("2026-11-01", ValueError),
        ("2026-11-01T00:00:00", ValueError),
        ("yesterday", ValueError),
        (datetime(2026, 11, 1), ValueError),  # noqa: DTZ001 - what is refused
        (datetime(2026, 11, 1, tzinfo=UTC).date(), TypeError),
        (1793491200, TypeError),
    ],
)
def test_what_is_no_moment_is_refused_with_what_is_right(given: Any, kind: type[Exception]) -> None:
    for call in (
        lambda: TRANSACTIONS.list(wallet_id=ID, from_=given),
        lambda: StatisticsResource(_RECORDER).user("u", from_=given),
    ):
        with pytest.raises(kind, match=r'^from_ .*"2026-11-01T00:00:00Z".*datetime.now\(UTC\)'):
            call()


def test_numbers_that_int_can_not_read_are_read_as_decimals() -> None:
    """SQL of 0.1.0 accepts them in metadata."""
    digits = "7" * 5000
    tested = CallUnderTest(TRANSACTIONS.get(ID))
    body = json.dumps(ENTRY | {"reference": None}).replace(
        '"metadata": {}', f'"metadata": {{"n": {digits}, "m": 7}}'
    )
    assert tested.ends((200, JSON, body.encode())) is None
    assert dict(tested.attempts.result.metadata) == {"n": Decimal(digits), "m": 7}


def test_metadata_keep_their_digits() -> None:
    sent = TRANSACTIONS.consume(
        ID, 1, metadata={"rate": Decimal("0.10"), "deep": [{"small": Decimal("1E-30")}]}
    ).body

    assert sent == b'{"amount":"1","metadata":{"rate":0.10,"deep":[{"small":1E-30}]}}'

"""Spans of requests, batches and calls, and how they hang together."""

import asyncio
import contextlib
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from conftest import FreshApi
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Receive, Scope, Send
from support.api import ADMIN_KEY, Api, new_user, problem
from support.database_faults import FaultyDatabase
from support.polling import wait_until
from support.service import environment, serving
from support.stand_in import stand_in
from support.upstreams import ListedInstances, account_client

from wallet_service.core.identifiers import new_id
from wallet_service.core.settings import SettingsError
from wallet_service.ledger.group_commit import Ledger
from wallet_service.ledger.tracing import BatchSpans
from wallet_service.platform.database.tracing import TracedDatabase
from wallet_service.platform.telemetry.logging import configure_logging
from wallet_service.platform.telemetry.settings import TelemetrySettings
from wallet_service.platform.telemetry.tracing import traced_part, tracing
from wallet_service.platform.upstreams.problems import UpstreamUnavailable
from wallet_service.platform.upstreams.tracing import CallSpans
from wallet_service.platform.web import middleware
from wallet_service.platform.web.tracing import CALLERS_PER_S, RequestSpans

CONSUME = "POST /api/v1/wallets/{wallet_id}/consume"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, NOT_SAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
NO_TRACES = (
    f"00-{'0' * 32}-{PARENT}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"ff{SAMPLED[2:]}",
    f"{SAMPLED}-more",
    SAMPLED.upper(),
    "nonsense",
    "",
)
"""What W3C's Trace Context does not allow."""


class Spans:
    """What was exported."""

    def __init__(self, **options: Any) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False, **options)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("tests")

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.exporter.get_finished_spans() if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        (span,) = self.named(name)
        return span

    def text(self) -> str:
        return "".join(span.to_json() for span in self.exporter.get_finished_spans())


@pytest.fixture
def spans() -> Spans:
    return Spans()


def id_of(span: ReadableSpan) -> int:
    return span.get_span_context().span_id


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


async def consume(api: Api, wallet: str, amount: str = "1", **headers: str) -> httpx.Response:
    return await api.admin.send("POST", f"/wallets/{wallet}/consume", {"amount": amount}, headers=headers)


async def test_a_request_its_batch_and_its_call_are_one_trace(fresh_api: FreshApi, spans: Spans) -> None:
    api = await fresh_api(tracer_provider=spans.provider)
    user = new_user()
    wallet = (await api.admin.wallet("10", user_id=user))["wallet_id"]
    spans.exporter.clear()
    answer = await api.admin.send(
        "POST",
        f"/wallets/{wallet}/consume",
        {"amount": "1.2345", "description": user},
        headers={"traceparent": SAMPLED, "tracestate": "vendor=1"},
    )
    assert answer.status_code == 201
    await api.admin.get(f"/users/{user}/wallets", user=user)

    request, batch, call = (
        spans.one(CONSUME),
        spans.one("group_commit"),
        spans.one("wallet_api.post_transactions"),
    )
    assert request.kind is SpanKind.SERVER
    assert f"{request.get_span_context().trace_id:032x}" == TRACE
    assert f"{parent_of(request):016x}" == PARENT
    assert request.get_span_context().trace_state.get("vendor") == "1"
    assert request.attributes == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/api/v1/wallets/{wallet_id}/consume",
        "http.response.status_code": 201,
    }
    assert parent_of(batch) == id_of(request)
    assert batch.attributes == {"wallet.batch.operations": 1}
    assert parent_of(call) == id_of(batch)
    assert call.kind is SpanKind.CLIENT
    assert call.attributes == {
        "db.system.name": "postgresql",
        "db.stored_procedure.name": "wallet_api.post_transactions",
    }
    # Nobody and no amount is named.
    for word in (user, wallet, "1.2345"):
        assert word not in spans.text()


async def test_a_batch_knows_every_request_in_it(fresh_api: FreshApi, spans: Spans) -> None:
    api = await fresh_api(tracer_provider=spans.provider)
    wallet = (await api.admin.wallet("100"))["wallet_id"]
    faulty = FaultyDatabase(TracedDatabase(api.app.state.database, spans.tracer))
    ledger, kept = Ledger(faulty, spans=BatchSpans(spans.tracer)), api.app.state.ledger
    api.app.state.ledger = ledger
    spans.exporter.clear()
    async with faulty.paused():
        first = asyncio.create_task(consume(api, wallet))
        await faulty.wait_for_calls(1)
        others = [asyncio.create_task(consume(api, wallet)) for _ in range(3)]
        unseen = asyncio.create_task(consume(api, wallet, traceparent=NOT_SAMPLED))
        await wait_until(lambda: ledger._queued.operations == 4)
    assert {(await each).status_code for each in (first, *others, unseen)} == {201}
    api.app.state.ledger = kept
    alone, together = spans.named("group_commit")
    assert (alone.links, alone.attributes) == ((), {"wallet.batch.operations": 1})
    assert together.attributes == {"wallet.batch.operations": 4}
    assert len(together.links) == 2
    carried = {parent_of(alone), parent_of(together), *(link.context.span_id for link in together.links)}
    assert carried == {id_of(span) for span in spans.named(CONSUME)}
    assert len(carried) == 4


async def test_what_fails_is_marked_and_a_refusal_is_no_failure(fresh_api: FreshApi, spans: Spans) -> None:
    api = await fresh_api(tracer_provider=spans.provider)
    wallet = (await api.admin.wallet("1"))["wallet_id"]
    spans.exporter.clear()
    problem(await consume(api, wallet, "5"), "insufficient_funds")
    problem(await api.admin.get(f"/wallets/{new_id()}"), "wallet_not_found")
    assert all(span.status.status_code is StatusCode.UNSET for span in spans.exporter.get_finished_spans())
    spans.exporter.clear()
    await api.app.state.database.close()
    problem(await api.admin.get(f"/wallets/{wallet}"), "unavailable")
    request = spans.one("GET /api/v1/wallets/{wallet_id}")
    assert request.status.status_code is StatusCode.ERROR
    assert request.attributes is not None
    assert request.attributes["error.type"] == "503"
    calls = spans.named("wallet_api.get_wallet")
    assert {span.status.status_code for span in calls} == {StatusCode.ERROR}
    assert {(span.attributes or {}).get("error.type") for span in calls} == {"unavailable"}
    assert not [event for span in calls for event in span.events]


async def test_what_is_not_sampled_costs_no_span_and_keeps_its_trace(fresh_api: FreshApi) -> None:
    off = Spans(sampler=ParentBased(ALWAYS_OFF))
    api = await fresh_api(tracer_provider=off.provider)
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    await consume(api, wallet)
    await consume(api, wallet, traceparent=NOT_SAMPLED)
    assert not off.exporter.get_finished_spans()
    await consume(api, wallet, traceparent=SAMPLED)
    assert len(off.named(CONSUME)) == 1


async def test_a_path_that_is_none_is_not_in_the_name(fresh_api: FreshApi, spans: Spans) -> None:
    api = await fresh_api(tracer_provider=spans.provider)
    await api.http.get("/somebody")
    await api.http.request("ODD", "/somebody")
    assert {span.name for span in spans.exporter.get_finished_spans()} == {"GET", "_OTHER"}
    assert "somebody" not in spans.text()


async def test_the_context_goes_on_to_a_upstream(spans: Spans) -> None:
    off = Spans(sampler=ParentBased(ALWAYS_OFF))
    async with stand_in() as upstreams:
        for made in (spans, off):
            async with account_client(ListedInstances(upstreams.url), spans=CallSpans(made.tracer)) as client:
                with made.tracer.start_as_current_span("request"):
                    await client.ask("GET", "/api/v1/accounts/ann", lambda *_: None)
        async with account_client(
            ListedInstances("http://127.0.0.1:1"), spans=CallSpans(spans.tracer)
        ) as client:
            with spans.tracer.start_as_current_span("other"), pytest.raises(UpstreamUnavailable):
                await client.ask("GET", "/api/v1/accounts/ann", lambda *_: None)
    good, *bad = spans.named("GET account")
    seen, unseen = (question.headers["traceparent"] for question in upstreams.questions)
    context = good.get_span_context()
    assert seen == f"00-{context.trace_id:032x}-{context.span_id:016x}-01" or seen.endswith("-03")
    assert seen.split("-")[1:3] == [f"{context.trace_id:032x}", f"{context.span_id:016x}"]
    assert not int(unseen.split("-")[3], 16) & 1
    assert parent_of(good) == id_of(spans.one("request"))
    assert good.kind is SpanKind.CLIENT
    assert good.attributes == {"http.request.method": "GET", "service.peer.name": "account"}
    assert bad
    assert all(span.status.status_code is StatusCode.ERROR for span in bad)
    assert "ann" not in spans.text()


@contextlib.contextmanager
def log(*, traced: bool) -> Generator[Callable[[], list[dict[str, Any]]]]:
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    configure_logging("debug", stream, traced=traced)
    kept, middleware._log = middleware._log, structlog.get_logger()
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    middleware._log = kept
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_of_traces_that_begin_here_only_a_part_is_made(fresh_api: FreshApi, spans: Spans) -> None:
    api = await fresh_api(tracer_provider=spans.provider, traced_part=0.0)
    wallet = (await api.admin.wallet("10"))["wallet_id"]
    assert not spans.exporter.get_finished_spans()
    for given in (NOT_SAMPLED, *NO_TRACES):
        await consume(api, wallet, traceparent=given)
    assert not spans.exporter.get_finished_spans()
    await consume(api, wallet, traceparent=SAMPLED)
    assert len(spans.named(CONSUME)) == 1


async def test_callers_can_have_so_many_traces_made_and_no_more(spans: Spans) -> None:
    now, seen = 0.0, list[str]()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive, send
        carrier: dict[str, str] = {}
        TraceContextTextMapPropagator().inject(carrier)
        seen.append(carrier["traceparent"])

    traced = RequestSpans(app, spans.tracer, 0.0, clock=lambda: now)

    async def ask(times: int) -> int:
        """How many of so many requests have spans."""
        spans.exporter.clear()
        for _ in range(times):
            scope = {"type": "http", "method": "GET", "headers": [(b"traceparent", SAMPLED.encode())]}
            await traced(scope, not_called, not_called)
        return len(spans.exporter.get_finished_spans())

    assert await ask(CALLERS_PER_S + 50) == CALLERS_PER_S
    now += 0.5
    assert await ask(CALLERS_PER_S) == CALLERS_PER_S / 2
    now += 60
    assert await ask(CALLERS_PER_S + 50) == CALLERS_PER_S
    # The others are in the caller's trace all the same, as ones that nobody exports.
    assert {each.split("-")[1] for each in seen} == {TRACE}
    assert sum(int(each.split("-")[3], 16) & 1 for each in seen) == 2.5 * CALLERS_PER_S


async def not_called(*_: object) -> Any:
    raise AssertionError


def test_the_part_is_a_tenth_unless_a_sampler_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_TRACES_SAMPLER", raising=False)
    assert traced_part() == 0.1
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    assert traced_part() == 1.0


async def test_lines_of_the_log_name_trace_and_span(fresh_api: FreshApi, spans: Spans) -> None:
    api = await fresh_api(tracer_provider=spans.provider)
    with log(traced=True) as lines:
        await api.http.get("/health/live", headers={"traceparent": SAMPLED})
        with spans.tracer.start_as_current_span("work") as span:
            logging.getLogger("somebody").warning("else")
        structlog.get_logger().info("on its own")
        request, other, alone = lines()
    assert request["trace_id"] == TRACE
    assert request["span_id"] == f"{id_of(spans.one('GET /health/live')):016x}"
    assert other["trace_id"] == f"{span.get_span_context().trace_id:032x}"
    assert "trace_id" not in alone


async def test_what_a_malformed_header_says_is_not_in_the_log(fresh_api: FreshApi, spans: Spans) -> None:
    api = await fresh_api(tracer_provider=spans.provider)
    with log(traced=True) as lines:
        for state in ("ann@example.com", "Ann=1, ann = 2", ",".join(f"ann{n}=1" for n in range(40))):
            await api.http.get("/health/live", headers={"traceparent": SAMPLED, "tracestate": state})
        await api.http.get("/health/live", headers={"traceparent": "a" * 600})
        written = lines()
    assert [line["event"] for line in written] == ["request"] * 4
    assert "ann" not in json.dumps(written).lower()


async def test_without_tracing_the_caller_s_trace_is_in_the_log(fresh_api: FreshApi) -> None:
    api = await fresh_api()
    newer = f"01{SAMPLED[2:]}-more"
    with log(traced=False) as lines:
        for given in (SAMPLED, NOT_SAMPLED, newer, *NO_TRACES):
            await api.http.get("/health/live", headers={"traceparent": given})
        told = [(line.get("trace_id"), "span_id" in line) for line in lines()]
    assert told == [(TRACE, False)] * 3 + [(None, False)] * len(NO_TRACES)


def test_nothing_of_the_sdk_is_loaded_while_it_is_off() -> None:
    program = """
import sys
from wallet_service import cli
from wallet_service.runtime import serve
from wallet_service.runtime.application import create_app
from wallet_service.runtime.configuration import load_settings
from wallet_service.platform.web.tracing import RequestSpans
app = create_app(load_settings(), "postgresql://nowhere/")
assert not [name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))]
assert RequestSpans not in [each.cls for each in app.user_middleware]
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


async def test_without_the_extra_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(SettingsError, match=r"scripts/run installs it.* -r requirements/image\.txt"):
        await tracing(TelemetrySettings(tracing=True)).__aenter__()


async def test_an_unavailable_collector_delays_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    async with asyncio.timeout(5), tracing(TelemetrySettings(tracing=True), 0.05) as provider:
        assert provider is not None
        with provider.get_tracer("tests").start_as_current_span("lost"):
            pass


class Collector(ThreadingHTTPServer):
    """Takes spans by OTLP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taker)
        self.taken: list[ExportTraceServiceRequest] = []


class _Taker(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append(ExportTraceServiceRequest.FromString(body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


def test_a_service_exports_its_last_spans_before_it_ends(own_folder: Path, service_dsn: str) -> None:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        variables = {
            "WALLET_DATABASE_URL": service_dsn,
            "WALLET_MIGRATE_ON_START": "false",
            "WALLET_ADMIN_KEY": ADMIN_KEY,
            "WALLET_METRICS_PORT": "0",
            "WALLET_TRACING": "true",
            "OTEL_TRACES_SAMPLER": "always_on",
            "OTEL_BSP_SCHEDULE_DELAY": "600000",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        }
        try:
            with serving(own_folder, **variables) as service:
                assert service.status(ADMIN_KEY) == 200
                (listening,) = [line for line in service.printed.splitlines() if "metrics_listening" in line]
                port = json.loads(listening)["port"]
                assert "wallet_http_requests_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
                taken = environment(own_folder, **variables | {"WALLET_METRICS_PORT": str(port)})
                refused = subprocess.run(
                    [sys.executable, "-m", "wallet_service", "serve"],
                    env=taken,
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=60,
                )
                assert not collector.taken
                assert service.stop() == 0
        finally:
            collector.shutdown()
            thread.join()
    assert refused.returncode == 1
    assert (
        refused.stderr == f"wallet-service: Can't listen on 127.0.0.1 port {port}: Address already in use\n"
    )
    (resource,) = [each for batch in collector.taken for each in batch.resource_spans]
    named = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert named["service.name"] == "wallet-service"
    names = {span.name for scope in resource.scope_spans for span in scope.spans}
    assert names == {"GET /api/v1/ledger/trial-balance", "wallet_api.read_trial_balance"}

"""Installs middleware, error handlers and docs in an application."""

from collections.abc import Collection, Mapping

from fastapi import FastAPI
from opentelemetry.trace import Tracer

from wallet_service.platform.web.body import BodyLimit
from wallet_service.platform.web.cors import Cors
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.middleware import RequestContext
from wallet_service.platform.web.openapi import DocumentParts, install_docs
from wallet_service.platform.web.problems import install_handlers
from wallet_service.platform.web.settings import WebSettings
from wallet_service.platform.web.strict_head import StrictHead
from wallet_service.platform.web.time_limit import TimeLimit
from wallet_service.platform.web.tracing import RequestSpans


def install(
    app: FastAPI,
    settings: WebSettings,
    document: DocumentParts,
    body_limits: Mapping[str, int] | None = None,
    metrics: RequestMetrics | None = None,
    tracer: Tracer | None = None,
    traced_part: float = 1.0,
    unlimited_paths: Collection[str] = (),
) -> None:
    """Install middleware, error handlers and docs in an application.

    Args:
        app: created with ``docs_url=None, redoc_url=None, redirect_slashes=False``; not yet serving.
        settings: limits.
        document: what rooms add to the OpenAPI document.
        body_limits: the maximum bytes of bodies by path, if it is not ``max_body_bytes``.
        metrics: counts the requests.
        tracer: if given, requests have spans.
        traced_part: the part, from 0 to 1, of requests without a caller's trace that have a span.
        unlimited_paths: paths without the time limit.

    When the application starts, it must set ``app.state.auth`` (its ``Authenticator``) and ``app.state.reads`` (its
    ``ReadRecorder``), ``app.state.limiter`` if it has a ``Limiter``, ``app.state.address_limit`` if it has an
    ``AddressLimit``, and ``app.state.trusted_proxies`` if there are some.

    What a room adds to ``app.state.when_stopping`` is called when the server stops, before it waits for requests: so
    responses that would go on for ever can end.
    """
    app.state.limiter = None
    app.state.address_limit = None
    app.state.trusted_proxies = ()
    app.state.caller_checks = ()
    app.state.when_stopping = []
    install_handlers(app)
    install_docs(app, document)
    # Each wraps those before it, so the last one is the outermost.
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_bytes, limits_of_paths=body_limits or {})
    app.add_middleware(TimeLimit, limit_ms=settings.request_timeout_ms, unlimited_paths=unlimited_paths)
    app.add_middleware(StrictHead)
    if settings.cors_origins:
        app.add_middleware(Cors, origins=settings.cors_origins)
    app.add_middleware(RequestContext, metrics=metrics)
    if tracer is not None:
        app.add_middleware(RequestSpans, tracer=tracer, part=traced_part)

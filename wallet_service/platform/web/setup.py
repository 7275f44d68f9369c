"""Puts the pieces of this room around an application."""

from collections.abc import Collection, Mapping

from fastapi import FastAPI
from opentelemetry.trace import Tracer

from wallet_service.platform.web.body import BodyLimit
from wallet_service.platform.web.metrics import RequestMetrics
from wallet_service.platform.web.middleware import RequestContext
from wallet_service.platform.web.openapi import install_docs
from wallet_service.platform.web.problems import install_handlers
from wallet_service.platform.web.settings import WebSettings
from wallet_service.platform.web.tracing import RequestSpans


def install(
    app: FastAPI,
    settings: WebSettings,
    codes: Collection[str],
    body_limits: Mapping[str, int] | None = None,
    metrics: RequestMetrics | None = None,
    tracer: Tracer | None = None,
    traced_part: float = 1.0,
) -> None:
    """Give the application its middleware, problems and docs.

    Args:
        app: made with ``docs_url=None, redoc_url=None, redirect_slashes=False``; not yet serving.
        settings: limits.
        codes: of all problems, for the OpenAPI document.
        body_limits: bytes for paths whose bodies may be of another size than ``max_body_bytes``.
        metrics: counts the requests.
        tracer: given, requests have spans.
        traced_part: the part of those that have one, of requests whose trace begins here.

    When it starts, the application puts its ``Authenticator`` into ``app.state.auth``, and its ``Limiter``, where
    it has one, into ``app.state.limiter``.
    """
    app.state.limiter = None
    app.state.caller_checks = ()
    install_handlers(app)
    install_docs(app, codes)
    # Each is put around those before it, so the last is the outermost.
    app.add_middleware(BodyLimit, limit_bytes=settings.max_body_bytes, limits_of_paths=body_limits or {})
    app.add_middleware(RequestContext, metrics=metrics)
    if tracer is not None:
        app.add_middleware(RequestSpans, tracer=tracer, part=traced_part)

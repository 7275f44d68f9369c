"""The job that refreshes exchange rates."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import structlog

from wallet_service.finance.fx.ecb import MOST_BYTES, RatesUnreadableError, history, in_slices, read_rates
from wallet_service.finance.fx.repository import RateRepository
from wallet_service.finance.fx.settings import FxSettings
from wallet_service.money.permissions import RATES_WRITE
from wallet_service.platform.upstreams.problems import UpstreamUnavailable

if TYPE_CHECKING:  # commands load the declaration, and need no worker
    from wallet_service.finance.fx.ecb import Days
    from wallet_service.platform.jobs.context import JobContext

_DAYS_AT_ONCE = 200
"""About 6,000 rates in a call."""
_TIMEOUT_S = 30.0
_NOT_MODIFIED, _OK = 304, 200

_log = structlog.get_logger(__name__)


class _Response(NamedTuple):
    """Of the provider: None in place of the content if nothing has changed."""

    content: bytes | None
    etag: str | None


async def refresh_rates(context: "JobContext") -> None:
    """Store the history where it is missing, then the rates of the provider if there is one."""
    if context.job.client_id is not None:
        (await context.caller()).require(RATES_WRITE)
    settings: FxSettings = context.state.settings[FxSettings]
    rates = RateRepository(context.state.database)
    days = stored = 0
    if settings.history and not (await rates.state()).has_history:
        # Parsing two megabytes takes a third of a second.
        found = await _store(context, rates, await asyncio.to_thread(history), "ecb_history")
        days, stored = days + found[0], stored + found[1]
    if settings.url is not None:
        found = await _refresh(context, rates, settings.url.get_secret_value())
        days, stored = days + found[0], stored + found[1]
    newest = (await rates.state()).newest
    context.finish_with({"days": days, "rates": stored, "newest": newest})


async def _refresh(context: "JobContext", rates: RateRepository, url: str) -> tuple[int, int]:
    metrics = context.state.fx_metrics
    try:
        response = await _fetch(url, (await rates.state(url)).etag)
        if response.content is None:
            metrics.refreshed("unchanged")
            return 0, 0
        days = await asyncio.to_thread(read_rates, response.content)
    except (UpstreamUnavailable, RatesUnreadableError) as error:
        metrics.refreshed("failed")
        _log.warning("exchange_rates_not_refreshed", reason=str(error))
        if isinstance(error, UpstreamUnavailable):
            raise
        raise UpstreamUnavailable("The provider of exchange rates sent something else") from error
    found = await _store(context, rates, days, "provider")
    # Only now: after a crash in between, the response is asked for again.
    await rates.record_feed(url, response.etag)
    metrics.refreshed("stored")
    return found


async def _store(context: "JobContext", rates: RateRepository, days: "Days", source: str) -> tuple[int, int]:
    changed = stored = done = 0
    for part in in_slices(days, _DAYS_AT_ONCE):
        found = await rates.load(part, source)
        changed, stored, done = changed + found[0], stored + found[1], done + len(part)
        context.progress(done, len(days), note="days")
        await context.heartbeat()
    return changed, stored


async def _fetch(url: str, etag: str | None) -> _Response:
    """What the provider has, unless it is what it had at this ETag.

    Raises:
        UpstreamUnavailable: it can't be reached, or refuses.
    """
    import httpx  # noqa: PLC0415 - a third of a second, which only a refresh needs

    headers = {} if etag is None else {"If-None-Match": etag}
    try:
        async with (
            httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=True) as client,
            client.stream("GET", url, headers=headers) as response,
        ):
            if response.status_code == _NOT_MODIFIED:
                return _Response(None, etag)
            if response.status_code != _OK:
                raise UpstreamUnavailable(f"The provider of exchange rates answers {response.status_code}")
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > MOST_BYTES:
                    raise UpstreamUnavailable("The response of the provider of exchange rates is too large")
            return _Response(bytes(content), response.headers.get("ETag"))
    except httpx.HTTPError as error:
        # Without the URL, which may have a secret.
        raise UpstreamUnavailable(
            f"The provider of exchange rates can't be reached: {type(error).__name__}"
        ) from None

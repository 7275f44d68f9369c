"""Delivers events to endpoints, in each worker: makes deliveries of new events, claims due ones, and sends them.

Workers share the deliveries by leases, as they share jobs. A worker that is killed loses nothing: its leases end, and
others send the same messages again, under the same ids.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from wallet_service.core.errors import WalletError
from wallet_service.core.identifiers import new_id
from wallet_service.core.retries import RetryPolicy
from wallet_service.delivery.events.cloud_events import CloudEvents
from wallet_service.delivery.events.service import EventLog
from wallet_service.delivery.webhooks.backoff import pause_ms
from wallet_service.delivery.webhooks.metrics import WebhookMetrics
from wallet_service.delivery.webhooks.repository import ClaimedDelivery, DeliveryRepository
from wallet_service.delivery.webhooks.sender import Attempt
from wallet_service.delivery.webhooks.service import WebhookParts, opened
from wallet_service.platform.vault.cipher import SealedValueInvalid
from wallet_service.platform.vault.problems import VaultUnavailable

SPREAD_AT_ONCE = 500
"""Deliveries that one call makes."""

CLAIMED_AT_ONCE = 50

SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
"""Between two looks for new events, of a worker that finds none."""

LEASE_MARGIN_S = 20
"""A lease is longer than an attempt, for the report of the attempt."""

_UNSENT_PAUSE_MS = 30_000
"""After a delivery that could not be signed, for its endpoint."""

_COUNT_S = 15.0
_SECONDS_PER_DAY = 86_400

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryParts:
    """What deliveries are made with.

    Attributes:
        webhooks: sender, vault, settings.
        repository: claims and reports.
        events: numbers what was committed.
        cloud_events: writes the message.
        metrics: counts attempts.
    """

    webhooks: WebhookParts
    repository: DeliveryRepository
    events: EventLog
    cloud_events: CloudEvents
    metrics: WebhookMetrics


async def deliver(state: Any, stopping: asyncio.Event) -> None:
    """The worker's loop: deliver until the worker stops."""
    await Deliveries(state.webhook_deliveries, stopping).run()


class Deliveries:
    """The deliveries of one worker.

    Args:
        parts: of the process.
        stopping: set when no more are to be claimed.
    """

    def __init__(self, parts: DeliveryParts, stopping: asyncio.Event) -> None:
        self._parts = parts
        self._settings = parts.webhooks.settings
        self._stopping = stopping
        self._lease_s = round(self._settings.timeout_ms / 1000) + LEASE_MARGIN_S
        self._sending: set[asyncio.Task[None]] = set()
        self._look_at = 0.0
        self._count_at = 0.0
        self._pause_s = SHORTEST_PAUSE_S
        self._is_active = False
        self._is_without_key = False
        self._is_unavailable = False

    async def run(self) -> None:
        """Deliver until the worker stops. If this is cancelled, what is being sent is given back."""
        stop = asyncio.create_task(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                await self._attempt_step()
                await asyncio.wait(
                    [stop, *self._sending],
                    timeout=max(self._look_at - asyncio.get_running_loop().time(), 0),
                    return_when=asyncio.FIRST_COMPLETED,
                )
            if self._sending:
                await asyncio.wait(self._sending)
        finally:
            stop.cancel()
            left = list(self._sending)
            for task in left:
                task.cancel()
            await asyncio.gather(stop, *left, return_exceptions=True)

    async def _attempt_step(self) -> None:
        """A step; while the database is unavailable, a pause. Attempts under way go on."""
        try:
            await self._step()
        except WalletError as error:
            if not error.retryable:
                raise
            if not self._is_unavailable:
                _log.warning("webhooks_wait", reason=error.detail)
            self._is_unavailable = True
            self._pause_s = LONGEST_PAUSE_S
            self._look_at = asyncio.get_running_loop().time() + self._pause_s
        else:
            self._is_unavailable = False

    async def _step(self) -> None:
        """Make deliveries of new events if it is time, then claim as many as there is room for."""
        loop = asyncio.get_running_loop()
        if loop.time() >= self._count_at:
            self._count_at = loop.time() + _COUNT_S
            self._parts.metrics.counted(await self._parts.repository.counts())
        found, is_look = False, loop.time() >= self._look_at
        if is_look:
            if self._is_active:
                await self._parts.events.number()
            created, more, self._is_active = await self._parts.repository.spread(SPREAD_AT_ONCE)
            found = created > 0 or more
        if self._is_active and self._has_key():
            found = await self._claim() or found
        if found:
            self._pause_s = SHORTEST_PAUSE_S
        elif is_look:
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)
        if is_look:
            self._look_at = loop.time() + self._pause_s

    def _has_key(self) -> bool:
        """Whether the vault can open secrets at all; without a key no attempt is made."""
        is_without = not self._parts.webhooks.vault.key_ids
        if is_without and not self._is_without_key:
            _log.error("webhooks_wait", reason="the vault has no key: set WALLET_CREDENTIAL_KEYS")
        self._is_without_key = is_without
        return not is_without

    async def _claim(self) -> bool:
        free = min(self._settings.concurrency - len(self._sending), CLAIMED_AT_ONCE)
        if free <= 0:
            return False
        claimed = await self._parts.repository.claim(
            new_id(), free, self._settings.per_endpoint, self._lease_s
        )
        for each in claimed:
            task = asyncio.create_task(self._deliver(each))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return bool(claimed)

    async def _deliver(self, claimed: ClaimedDelivery) -> None:
        """Send a delivery once, and report how it ended. Never raises, unless it is cancelled."""
        try:
            if (attempt := await self._send(claimed)) is None:
                await self._store(claimed, {"outcome": "unsent"}, _UNSENT_PAUSE_MS)
            else:
                await self._report(claimed, attempt)
        except asyncio.CancelledError:
            await self._give_back(claimed)
            raise
        except WalletError as error:
            # The lease ends; then another attempt follows, under the same id.
            cause = None if error.retryable else error
            _log.warning("webhook_attempt_not_stored", **_named(claimed), reason=error.detail, exc_info=cause)
            self._parts.metrics.ended("lost", 0.0)
        except Exception:  # noqa: BLE001 - other deliveries must go on
            _log.exception("webhook_attempt_not_made", **_named(claimed))
            self._parts.metrics.ended("lost", 0.0)

    async def _send(self, claimed: ClaimedDelivery) -> Attempt | None:
        """Send a delivery once. None: it can't be signed now, which is no failure of the endpoint."""
        event = claimed.event
        if event is None:
            return Attempt(None, "event_removed", "the event is no longer kept", "", 0)
        try:
            secrets = opened(self._parts.webhooks.vault, claimed.target)
        except (VaultUnavailable, SealedValueInvalid) as error:
            _log.error("webhook_secret_not_opened", **_named(claimed), reason=str(error))
            return None
        if not secrets:  # the endpoint was deleted while this was claimed
            return None
        body = self._parts.cloud_events.document(event).decode()
        return await self._parts.webhooks.sender.send(claimed.target.url, event.event_id, body, secrets)

    async def _report(self, claimed: ClaimedDelivery, attempt: Attempt) -> None:
        outcome = attempt.outcome
        pause = None if claimed.event is None else pause_ms(claimed.failures + 1, attempt.retry_after_s)
        document: Mapping[str, Any] = {
            "outcome": outcome,
            "status": attempt.status,
            "error": attempt.error,
            "detail": attempt.detail,
            "body": attempt.body,
            "duration_ms": attempt.duration_ms,
            "version": claimed.target.version,
        }
        state = await self._store(claimed, document, pause if outcome == "failed" else 0)
        if outcome != "delivered":
            _log.info(
                "webhook_attempt_failed",
                **_named(claimed),
                status=attempt.status,
                error=attempt.error,
                failures=claimed.failures + 1,
                state=state,
            )
        counted = state if state in ("dead", "lost") else outcome
        self._parts.metrics.ended(counted, attempt.duration_ms / 1000)

    async def _store(self, claimed: ClaimedDelivery, document: Mapping[str, Any], pause: int | None) -> str:
        """Store how an attempt ended, also after a while without the database. Returns the state of the delivery."""
        policy = RetryPolicy(
            is_temporary=lambda error: isinstance(error, WalletError) and error.retryable,
            pause_s=0.1,
            longest_pause_s=2.0,
            duration_s=LEASE_MARGIN_S,
        )
        disable_after_s = self._settings.disable_after_days * _SECONDS_PER_DAY
        return await policy.run(
            lambda: self._parts.repository.report(claimed, document, pause, disable_after_s)
        )

    async def _give_back(self, claimed: ClaimedDelivery) -> None:
        try:
            await self._parts.repository.release(claimed)
        except WalletError as error:
            _log.warning(
                "webhook_not_given_back",
                **_named(claimed),
                reason=error.code,
                meaning="it is sent again after the end of its lease",
            )


def _named(claimed: ClaimedDelivery) -> dict[str, Any]:
    return {"endpoint_id": claimed.endpoint_id, "number": claimed.number}

"""Reads events in their order, and keeps that order going: numbers, retention, metrics."""

from dataclasses import replace

from wallet_service.core.errors import Forbidden
from wallet_service.delivery.events.cloud_events import Event, Events
from wallet_service.delivery.events.metrics import EventsMetrics
from wallet_service.delivery.events.repository import NO_FILTER, EventFilter, EventRepository
from wallet_service.delivery.events.settings import EventsSettings
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.membership.access import CallerAccess

NUMBERED_AT_ONCE = 2000
"""Events that get their numbers in one call of the database."""

WAIT_MS = 500
"""How long a reader waits while another call gives numbers."""

DELETED_AT_ONCE = 5000

_MOST_CALLS = 50
"""Calls of one run, so that other work of the process gets its turn; the next run goes on."""


class Viewer:
    """A caller who reads events: which ones it may see.

    Args:
        caller: whose permission was checked.
        access: the access checks of its request.
    """

    def __init__(self, caller: Principal, access: CallerAccess) -> None:
        self.caller = caller
        self._access = access

    def narrowed(self, wanted: EventFilter) -> EventFilter:
        """The filter with what the caller can see at most, for the database to search by."""
        restriction = self.caller.restriction
        if self.caller.user_id is not None:
            return replace(wanted, user_id=self.caller.user_id)
        if restriction is None or not restriction.is_of_wallets:
            return wanted
        return replace(
            wanted,
            user_id=restriction.user_id,
            wallet_ids=tuple(sorted(restriction.wallet_ids)),
            organization_id=restriction.organization_id,
        )

    async def sees(self, event: Event) -> bool:
        """Whether the caller may see an event. A user sees those of its own wallets, a restricted key those of its own.

        Raises:
            UpstreamUnavailable: a membership can't be checked, and the policy is to refuse then.
        """
        restriction, user_id = self.caller.restriction, self.caller.user_id
        if restriction is not None and restriction.is_of_wallets:
            return (
                event.wallet_id is not None
                and event.user_id is not None
                and restriction.covers(event.wallet_id, event.user_id, event.organization_id)
            )
        if user_id is None:
            return True
        if event.wallet_id is None or event.user_id != user_id:
            return False
        try:
            await self._access.check(event.wallet_id)
        except Forbidden:  # of an organization to which the user does not belong
            return False
        return True


class EventLog:
    """The events of this ledger.

    Args:
        repository: reads and numbers them.
        settings: how long they are kept.
        metrics: counts them.
    """

    def __init__(
        self,
        repository: EventRepository,
        settings: EventsSettings | None = None,
        metrics: EventsMetrics | None = None,
    ) -> None:
        self._repository = repository
        self._settings = settings or EventsSettings()
        self._metrics = metrics or EventsMetrics()

    async def number(self, wait_ms: int = 0) -> bool:
        """Give waiting events their numbers, those of one call. Returns whether others may still wait.

        Args:
            wait_ms: milliseconds to wait while another call does it.
        """
        numbered = await self._repository.number(NUMBERED_AT_ONCE, wait_ms)
        self._metrics.numbered(numbered.events, numbered.changes)
        return numbered.more and numbered.events > 0

    async def read(self, after: int | None, limit: int, wanted: EventFilter = NO_FILTER) -> Events:
        """Events after a number that are wanted, including all that were committed before this call.

        Unless thousands wait, or another call gives numbers for longer than ``WAIT_MS``; then they follow later.

        Raises:
            CursorExpired, ValidationFailed, WalletNotFound: as ``EventRepository.read``.
        """
        await self.number(WAIT_MS)
        return await self._repository.read(after, limit, wanted)

    async def page(self, after: int | None, limit: int, wanted: EventFilter, viewer: Viewer) -> Events:
        """As ``read``, of the events that the viewer may see."""
        found = await self.read(after, limit, viewer.narrowed(wanted))
        return replace(found, events=[event for event in found.events if await viewer.sees(event)])

    async def keep(self) -> None:
        """One run of what goes on in the background: number what waits, remove what is old, and update the metrics."""
        for _ in range(_MOST_CALLS):
            if not await self.number():
                break
        for _ in range(_MOST_CALLS):
            _, more = await self._repository.delete_old(self._settings.retention_days, DELETED_AT_ONCE)
            if not more:
                break
        waiting, oldest_s = await self._repository.outbox()
        self._metrics.waiting.set(waiting)
        self._metrics.oldest_s.set(oldest_s)

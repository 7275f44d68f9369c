"""Events of usage as operations of the ledger."""

from collections.abc import Sequence

from wallet_service.billing.rates.events import Event, read_event
from wallet_service.billing.rates.problems import UsageEventConflict
from wallet_service.billing.rates.repository import UsageRepository
from wallet_service.core.caller import current_caller
from wallet_service.core.errors import Forbidden, IdempotencyKeyReused, WalletError
from wallet_service.ledger.operations import Operation
from wallet_service.ledger.outcomes import Outcome, Posted, Refused
from wallet_service.money.transactions.service import TransactionService
from wallet_service.platform.auth.authentication import Principal


class UsageService:
    """Rates and posts events for the caller of one request.

    Args:
        transactions: posts them.
        repository: finds the wallets of users.
        caller: of the request.
    """

    def __init__(
        self, transactions: TransactionService, repository: UsageRepository, caller: Principal
    ) -> None:
        self._transactions = transactions
        self._repository = repository
        self._caller = caller

    async def report(self, document: object, *, dry_run: bool) -> Posted:
        """Rate and post one event.

        Raises:
            WalletError: the refusal.
        """
        (outcome,) = await self.report_each([document], atomic=False, dry_run=dry_run)
        if isinstance(outcome, Refused):
            raise outcome.error
        return outcome

    async def report_each(self, documents: Sequence[object], *, atomic: bool, dry_run: bool) -> list[Outcome]:
        """Rate and post events; the outcomes in order. Without ``atomic`` each event stands alone."""
        events = [_read(document) for document in documents]
        wallets = await self._find_wallets(events)
        read = [
            each if isinstance(each, Refused) else self._operation(index, each, wallets[index])
            for index, each in enumerate(events)
        ]
        outcomes = await self._transactions.post_each(read, atomic=atomic, dry_run=dry_run)
        return [_explained(event, outcome) for event, outcome in zip(events, outcomes, strict=True)]

    async def _find_wallets(self, events: Sequence[Event | Refused]) -> Sequence[str | WalletError]:
        """The wallet of each event, or why there is none."""
        found: list[str | WalletError] = [
            (each.wallet_id or "") if isinstance(each, Event) else "" for each in events
        ]
        asked: dict[int, Event] = {}
        for index, each in enumerate(events):
            if isinstance(each, Event) and each.user_id is not None:
                try:
                    self._caller.require_user(each.user_id)
                    asked[index] = each
                except WalletError as error:
                    found[index] = error
        if asked:
            answers = await self._repository.find_wallets(self._caller.client_id, list(asked.values()))
            for index, answer in zip(asked, answers, strict=True):
                found[index] = answer
        return found

    def _operation(self, index: int, event: Event, wallet: str | WalletError) -> Operation | Refused:
        if isinstance(wallet, WalletError):
            return Refused(wallet)
        try:
            return self._transactions.room_operation(
                "usage", wallet, event.key(), event.terms(), current_caller().document(), index=index
            )
        except WalletError as error:
            return Refused(error)


def _read(document: object) -> Event | Refused:
    try:
        return read_event(document)
    except WalletError as error:
        return Refused(error)


def _explained(event: Event | Refused, outcome: Outcome) -> Outcome:
    """An outcome of the kernel, with what it means for an event."""
    if not isinstance(outcome, Refused) or not isinstance(event, Event):
        return outcome
    error = outcome.error
    if isinstance(error, IdempotencyKeyReused) and "transaction_id" not in error.facts:
        return Refused(
            UsageEventConflict(**error.facts, event_id=event.event_id, source=event.source or None)
        )
    if isinstance(error, Forbidden) and "allowed" in error.facts:
        return Refused(Forbidden("The key is restricted to other counter accounts", **error.facts))
    if isinstance(error, Forbidden) and "max_amount" in error.facts:
        detail = f"The key moves at most {error.facts['max_amount']} in an operation"
        return Refused(Forbidden(detail, **error.facts))
    return outcome

# Generated from wallet_client/_async/usage.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Rated usage: events that are priced and posted, and their sums."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from wallet_client._call import PAGE_SIZE, ROOT, Call, Id, encode, get_call, target
from wallet_client._responses import usage_of, usage_page_of, usage_results_of, usage_totals_of
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner

if TYPE_CHECKING:
    from wallet_client.models import Page, Refused
    from wallet_client.usage import NewUsage, Usage, UsageTotal


class UsageResource:
    """``client.usage``: report what was used, and read what it cost."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def report(self, event: "NewUsage", *, dry_run: bool = False) -> "Usage":
        """Report an event: it is priced by the rate card of its meter, and posted as ``consume``.

        An event counts once, for ever, by its id within its source: it is safe to report it again.

        Args:
            event: what was used.
            dry_run: price it; keep and post nothing.

        Raises:
            InsufficientFunds: the wallet can't pay it. It does not count.
            PriceNotFound: no rate card is in force at its moment, or it has no price for its dimensions.
            MeterNotFound: there is no such meter.
            TimestampRefused: it is from the future, or too old for its meter.
            UsageEventConflict: an event with its id was accepted before, with other content.
            WalletNotFound: there is no such wallet, or the caller may not see it.
            OutcomeUnknown: there was no response in time; report it again.
        """
        path = target("/usage", {"dry_run": "true"} if dry_run else None)
        body = encode(event.members)
        return self._runner.run(
            Call("report_usage", "POST", ROOT + "/usage", path, usage_of, writes=not dry_run, body=body)
        )

    def report_batch(
        self, events: "Iterable[NewUsage]", *, atomic: bool = False, dry_run: bool = False
    ) -> "list[Usage | Refused]":
        """Report 1 to 500 events in one request; the result of each, in order.

        Args:
            events: what was used.
            atomic: accept all or none; then a refusal is raised.
            dry_run: price them; keep and post nothing.

        Raises:
            WalletError: with ``atomic``: the first refusal.
            OutcomeUnknown: there was no response in time; report them again.
        """
        path = target("/usage/batch")
        body = encode({"events": [each.members for each in events], "atomic": atomic, "dry_run": dry_run})
        return self._runner.run(
            Call(
                "report_usage_batch",
                "POST",
                ROOT + "/usage/batch",
                path,
                usage_results_of,
                writes=not dry_run,
                body=body,
            )
        )

    def get(self, usage_id: Id) -> "Usage":
        """Read an event with its rating.

        Args:
            usage_id: its id, or that of its transaction.

        Raises:
            UsageNotFound: there is none, or the caller may not see it.
        """
        return self._runner.run(get_call("get_usage", "/usage/{usage_id}", usage_of, usage_id=usage_id))

    def events(
        self, wallet_id: Id, *, meter: str | None = None, page_size: int = PAGE_SIZE
    ) -> "Pages[Usage]":
        """The events of a wallet with their ratings, newest first.

        Args:
            wallet_id: the wallet.
            meter: only those of this meter.
            page_size: items per request, 1 to 100.

        Raises:
            WalletNotFound: there is no such wallet, or the caller may not see it; when the first page is read.
        """

        def page_after(cursor: str | None) -> "Call[Page[Usage]]":
            query = {"meter": meter, "limit": page_size, "cursor": cursor}
            return get_call(
                "list_usage_events",
                "/wallets/{wallet_id}/usage/events",
                usage_page_of,
                query,
                wallet_id=wallet_id,
            )

        return Pages(self._runner, page_after)

    def totals(
        self,
        wallet_id: Id,
        group_by: Sequence[str] = ("meter",),
        *,
        meter: str | None = None,
        from_: date | str | None = None,
        to: date | str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[UsageTotal]":
        """What a wallet used, by groups, in the order of the groups.

        Args:
            wallet_id: the wallet.
            group_by: ``meter``, ``day``, ``month``, and names of dimensions; at most five.
            meter: only usage of this one.
            from_: the first day, in the time zone of the rate card; None: the first one of the month of ``to``.
            to: the last day; None: today, in UTC.
            page_size: items that are fetched at once, at most 100.
        """
        query = {
            "group_by": ",".join(group_by),
            "meter": meter,
            "from": None if from_ is None else str(from_),
            "to": None if to is None else str(to),
            "limit": page_size,
        }

        def page_after(cursor: str | None) -> "Call[Page[UsageTotal]]":
            return get_call(
                "get_usage_totals",
                "/wallets/{wallet_id}/usage",
                usage_totals_of,
                query | {"cursor": cursor},
                wallet_id=wallet_id,
            )

        return Pages(self._runner, page_after)

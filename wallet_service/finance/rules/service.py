"""When rules are applied: to entries that were catalogued, by themselves; to others by a job; and on trial."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache

from wallet_service.core.errors import WalletBusy
from wallet_service.core.identifiers import new_id
from wallet_service.finance.rules.compiled import CompiledRules, Outcome, shown_parts
from wallet_service.finance.rules.metrics import RulesMetrics
from wallet_service.finance.rules.repository import RuledEntries

AT_ONCE: Final = 500
"""Entries that are read and written in one step: a caller who edits waits for it."""
_MOST_BOOKS: Final = 1000
_MOST_CACHED: Final = 64
"""Books whose rules are kept compiled."""
_ATTEMPTS: Final = 5


class AutomaticRules:
    """Applies the active rules of books to what was catalogued, as ``state.automatic_rules``.

    Args:
        entries: of the database.
        metrics: where it counts.
    """

    def __init__(self, entries: RuledEntries, metrics: RulesMetrics) -> None:
        self._entries = entries
        self._metrics = metrics
        self._kept: LRUCache[str, _Kept] = LRUCache(_MOST_CACHED)

    async def follow(self, book_id: str) -> int:
        """Apply the rules of a book to all entries that are due; how many these were.

        Raises:
            WalletBusy: the book changes too fast, or is locked for too long. What is left stays due.
            RulesTooSlow: they take too long.
        """
        done = attempts = 0
        while True:
            kept = self._kept.get(book_id)
            due = await self._entries.due(book_id, None if kept is None else kept.version, AT_ONCE)
            if not due["progress"]:
                return done
            version, rules = self._rules_of(book_id, due["rules"], kept)
            outcomes = await rules.apply(due["entries"])
            changed = changed_entries(outcomes)
            if await self._entries.write(book_id, version, changed, due["progress"], new_id()):
                self._metrics.ruled(len(outcomes), len(changed))
                done, attempts = done + len(outcomes), 0
            elif (attempts := attempts + 1) == _ATTEMPTS:
                raise WalletBusy("The book is changed while its rules are applied")

    async def follow_missed(self, report: Callable[[int], None]) -> None:
        """Apply the rules of every book to what is due; ``report`` gets the number of entries so far."""
        after, done = None, 0
        while True:
            books, after = await self._entries.due_books(after, _MOST_BOOKS)
            for book_id in books:
                done += await self.follow(book_id)
                report(done)
            if after is None:
                return

    def _rules_of(
        self, book_id: str, found: Mapping[str, Any], kept: "_Kept | None"
    ) -> tuple[int, CompiledRules]:
        """The compiled rules. They are made again where the rules have changed, or the labels that stand for others.

        What was kept is that whose version was named to the database: another call may have replaced it since.
        """
        made = _compiled(found, kept)
        self._kept[book_id] = made
        return made.version, made.rules


@dataclass(frozen=True, slots=True)
class _Kept:
    """Compiled rules, and what they are made of."""

    version: int
    links: tuple[Any, Any]
    documents: Sequence[Any]
    rules: CompiledRules


def _compiled(found: Mapping[str, Any], kept: _Kept | None) -> _Kept:
    """The rules of a list: those that are kept, where neither the list nor the labels that stand for others have changed.

    Args:
        found: the list. It has no rules where it is of the version of what is kept.
        kept: from before.
    """
    version, links = found["version"], (found["merged"], found["below"])
    if kept is None or kept.version != version:
        documents: Sequence[Any] = found["rules"]
    elif kept.links == links:
        return kept
    else:
        documents = kept.documents
    return _Kept(version, links, documents, CompiledRules(documents, found))


class RuleJob:
    """Applies rules of a book to entries that a caller names.

    Args:
        entries: of the database.
        arguments: of the job: ``book_id``, ``rule_ids``, ``wallet_id``, ``from``, ``to``, ``overwrite``, ``dry_run``.
        run_id: of the changes, the same in each attempt.
    """

    most_shown = 20
    largest_shown = 40_000

    def __init__(self, entries: RuledEntries, arguments: Mapping[str, Any], run_id: str) -> None:
        self._entries = entries
        self._arguments = arguments
        self._run_id = run_id
        self._shown: list[Mapping[str, Any]] = []
        self._shown_bytes = 0
        self.examined = self.held = self.changed = 0

    async def run(self, report: Callable[[int], Any]) -> None:
        """Apply the rules, page by page; ``report`` gets the number of entries so far.

        Raises:
            RuleNotFound: one of the rules was deleted.
            WalletBusy: as ``AutomaticRules.follow``.
            RulesTooSlow: they take too long.
        """
        after: Mapping[str, Any] | None = None
        attempts, kept = 0, None
        while True:
            book_id, rule_ids = self._arguments["book_id"], self._arguments["rule_ids"]
            found = await self._entries.rules(book_id, rule_ids)
            entries, following = await self._entries.page(book_id, self._arguments, after, AT_ONCE)
            kept = _compiled(found, kept)
            outcomes = await kept.rules.apply(entries, overwrite=self._arguments["overwrite"])
            changed = changed_entries(outcomes)
            if (
                changed
                and not self._arguments["dry_run"]
                and not await self._entries.write(book_id, found["version"], changed, None, self._run_id)
            ):
                if (attempts := attempts + 1) == _ATTEMPTS:
                    raise WalletBusy("The book is changed while rules are applied")
                continue
            self._count(outcomes)
            await report(self.examined)
            if following is None:
                return
            after, attempts = following, 0

    def result(self) -> dict[str, Any]:
        """What the job did, or would do."""
        is_written = self.changed > 0 and not self._arguments["dry_run"]
        return {
            "dry_run": self._arguments["dry_run"],
            "examined": self.examined,
            "held": self.held,
            "changed": self.changed,
            "run_id": self._run_id if is_written else None,
            "entries": self._shown,
        }

    def _count(self, outcomes: Sequence[Outcome]) -> None:
        self.examined += len(outcomes)
        self.held += sum(each.held for each in outcomes)
        changed = [each for each in outcomes if each.after is not None]
        self.changed += len(changed)
        for each in changed[: self.most_shown - len(self._shown)]:
            shown = shown_entry(each)
            self._shown_bytes += len(json.dumps(shown))
            if self._shown_bytes > self.largest_shown:  # a job's result is small
                self.most_shown = len(self._shown)
                return
            self._shown.append(shown)


def changed_entries(outcomes: Sequence[Outcome]) -> Sequence[Mapping[str, Any]]:
    """The entries that rules change, as they are written."""
    return [
        {
            "wallet_id": each.entry["wallet_id"],
            "wallet_version": each.entry["wallet_version"],
            "before": each.entry["parts"],
            "after": each.after,
        }
        for each in outcomes
        if each.after is not None
    ]


def shown_entry(outcome: Outcome) -> Mapping[str, Any]:
    """An entry for which rules hold, for a caller."""
    entry = outcome.entry
    return {
        **{name: entry[name] for name in ("wallet_id", "wallet_version", "description", "currency")},
        "before": shown_parts(entry["parts"], entry["exponent"]),
        "after": shown_parts(outcome.after or entry["parts"], entry["exponent"]),
    }

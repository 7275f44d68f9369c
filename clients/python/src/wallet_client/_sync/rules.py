# Generated from wallet_client/_async/rules.py by scripts/unasync. Change that file, and run scripts/unasync.
"""Rules of books."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from wallet_client._call import PAGE_SIZE, Call, Id, change_call, day_text, encode, get_call, post_call
from wallet_client._responses import job_of, nothing_of, rule_of, rule_order_of, rule_test_of, rules_of
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner
from wallet_client.keys import name_text

if TYPE_CHECKING:
    from typing import Literal

    from wallet_client.models import Job, Page
    from wallet_client.rules import Rule, RuleOrder, RuleTestResult

_RULE = "/rules/{rule_id}"


class RulesResource:
    """``client.rules``: what sets labels and notes of parts by conditions, in the order of a book's list."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def create(
        self,
        name: str,
        conditions: Sequence[Mapping[str, Any]],
        *,
        actions: Mapping[str, Any] | None = None,
        match: "Literal['all', 'any']" = "all",
        stop: bool = False,
        active: bool = True,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        idempotency_key: str | None = None,
    ) -> "Rule":
        """Create a rule, the last of its book.

        Args:
            name: shown to people.
            conditions: when it holds for a part, each with ``field``, ``op`` and ``value``.
            actions: what it sets; without any, it stops.
            match: whether all conditions must hold, or any one.
            stop: whether later rules are not applied to an entry for which it held.
            active: whether it is applied to new entries by itself.
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            idempotency_key: it is created once per key; default: a new key.

        Raises:
            LabelNotFound, WalletNotFound: it names what the book does not have.
            RuleLimit: the book has as many rules as it may have.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent.
        """
        body = _owner(user_id, organization_id) | _written(name, conditions, actions, match, stop, active)
        return self._runner.run(post_call("create_rule", "/rules", rule_of, body, idempotency_key))

    def get(self, rule_id: Id) -> "Rule":
        """A rule.

        Args:
            rule_id: its id.

        Raises:
            RuleNotFound: there is none, or the caller may not see its book.
        """
        return self._runner.run(get_call("get_rule", _RULE, rule_of, rule_id=rule_id))

    def list(
        self,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        active: bool | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Rule]":
        """The rules of a book, in the order in which they are applied.

        Args:
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            active: only those that are active, or are not; default: both.
            page_size: items per request, 1 to 100.
        """
        query = _owner(user_id, organization_id) | {
            "active": None if active is None else str(active).lower(),
            "limit": page_size,
        }

        def page_after(cursor: str | None) -> "Call[Page[Rule]]":
            return get_call("list_rules", "/rules", rules_of, query | {"cursor": cursor})

        return Pages(self._runner, page_after)

    def replace(
        self,
        rule_id: Id,
        name: str,
        conditions: Sequence[Mapping[str, Any]],
        *,
        actions: Mapping[str, Any] | None = None,
        match: "Literal['all', 'any']" = "all",
        stop: bool = False,
        active: bool = True,
        if_version: int | None = None,
    ) -> "Rule":
        """Replace a rule as a whole; its place stays.

        Args:
            rule_id: its id.
            name: as ``create``.
            conditions: as ``create``.
            actions: as ``create``.
            match: as ``create``.
            stop: as ``create``.
            active: as ``create``.
            if_version: only if it has this version; default: any.

        Raises:
            RuleNotFound, LabelNotFound, WalletNotFound: it, or what it names, is not of the book.
            VersionMismatch: it has changed since.
            OutcomeUnknown: it may have been replaced; call again.
        """
        body = encode(_written(name, conditions, actions, match, stop, active))
        call = change_call("replace_rule", "PUT", _RULE, rule_of, body, if_version, rule_id=rule_id)
        return self._runner.run(call)

    def delete(self, rule_id: Id, *, if_version: int | None = None) -> None:
        """Delete a rule. What it has set stays.

        Args:
            rule_id: its id.
            if_version: only if it has this version; default: any.

        Raises:
            RuleNotFound: there is none, or the caller may not see its book.
            VersionMismatch: it has changed since.
            OutcomeUnknown: it may have been deleted.
        """
        call = change_call("delete_rule", "DELETE", _RULE, nothing_of, None, if_version, rule_id=rule_id)
        return self._runner.run(call)

    def order(
        self, rule_ids: Sequence[Id], *, user_id: Id | None = None, organization_id: Id | None = None
    ) -> "RuleOrder":
        """Put the rules of a book into another order.

        Args:
            rule_ids: all of them, each once.
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.

        Raises:
            RulesChanged: the book has other rules.
            OutcomeUnknown: the order may have been changed; call again.
        """
        body = {**_owner(user_id, organization_id), "rule_ids": [name_text(each) for each in rule_ids]}
        sent = encode({name: value for name, value in body.items() if value is not None})
        call = change_call("order_rules", "POST", "/rules/order", rule_order_of, sent, None)
        return self._runner.run(call)

    def test(
        self,
        rule: Mapping[str, Any],
        *,
        most_entries: int = 200,
        user_id: Id | None = None,
        organization_id: Id | None = None,
    ) -> "RuleTestResult":
        """Show for which of the newest entries a rule holds. Nothing is changed.

        Args:
            rule: ``name``, ``conditions`` and others as of ``create``.
            most_entries: how many entries are looked at, 1 to 2,000, the newest ones.
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.

        Raises:
            LabelNotFound, WalletNotFound: it names what the book does not have.
        """
        body = _owner(user_id, organization_id) | {"rule": rule, "entries": most_entries}
        sent = encode({name: value for name, value in body.items() if value is not None})
        call = change_call("test_rule", "POST", "/rules/test", rule_test_of, sent, None)
        return self._runner.run(call)

    def apply(
        self,
        *,
        rule_ids: Sequence[Id] | None = None,
        wallet_id: Id | None = None,
        from_day: date | str | None = None,
        to_day: date | str | None = None,
        overwrite: bool = False,
        dry_run: bool = True,
        user_id: Id | None = None,
        organization_id: Id | None = None,
    ) -> "Job":
        """Apply rules to entries of a book, as a job. By default its result only says what would change.

        Args:
            rule_ids: these; default: all active ones.
            wallet_id: only entries of this wallet.
            from_day: only those of this day or later.
            to_day: only those before this day.
            overwrite: whether parts that a person edited are changed, too.
            dry_run: whether nothing is written.
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.

        Raises:
            RuleNotFound, WalletNotFound: the book has none of this id.
            OutcomeUnknown: there may be a job; ``client.jobs`` lists it.
        """
        body = _owner(user_id, organization_id) | {
            "rule_ids": None if rule_ids is None else [name_text(each) for each in rule_ids],
            "wallet_id": None if wallet_id is None else name_text(wallet_id),
            "from": day_text(from_day),
            "to": day_text(to_day),
            "overwrite": overwrite,
            "dry_run": dry_run,
        }
        sent = encode({name: value for name, value in body.items() if value is not None})
        return self._runner.run(change_call("apply_rules", "POST", "/rules/apply", job_of, sent, None))


def _owner(user_id: Id | None, organization_id: Id | None) -> dict[str, Any]:
    return {
        "user_id": None if user_id is None else name_text(user_id),
        "organization_id": None if organization_id is None else name_text(organization_id),
    }


def _written(
    name: str,
    conditions: Sequence[Mapping[str, Any]],
    actions: Mapping[str, Any] | None,
    match: str,
    stop: bool,
    active: bool,
) -> dict[str, Any]:
    return {
        "name": name,
        "match": match,
        "conditions": list(conditions),
        "actions": actions or {},
        "stop": stop,
        "active": active,
    }

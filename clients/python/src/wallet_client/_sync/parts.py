# Generated from wallet_client/_async/parts.py by scripts/unasync. Change that file, and run scripts/unasync.
"""What the entries of books were for."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from wallet_client._call import (
    PAGE_SIZE,
    Call,
    Id,
    Moment,
    change_call,
    day_text,
    encode,
    get_call,
    moment,
    post_call,
)
from wallet_client._responses import (
    changed_parts_of,
    document_of,
    entry_parts_of,
    nothing_of,
    pair_of,
    pairs_of,
    parts_of,
    transaction_of,
    undone_of,
)
from wallet_client._sync.pages import Pages
from wallet_client._sync.runner import Runner
from wallet_client.keys import name_text
from wallet_client.money import Amount, amount_text
from wallet_client.operations import NewPart

if TYPE_CHECKING:
    from typing import Literal

    from wallet_client.models import Page, Transaction
    from wallet_client.parts import ChangedParts, EntryParts, Pair, PairState, Part, Root, Undone

_ENTRY = "/wallets/{wallet_id}/entries/{wallet_version}/parts"


class PartsResource:
    """``client.parts``: what entries were for, split by category, payee and tags."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def list(
        self,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        category_id: Id | None = None,
        payee_id: Id | None = None,
        tag_id: Id | None = None,
        wallet_id: Id | None = None,
        type: "Root | Literal['refund', 'adjustment'] | None" = None,  # noqa: A002 - the parameter's name in the API
        amount_from: Amount | None = None,
        amount_to: Amount | None = None,
        from_day: date | str | None = None,
        to_day: date | str | None = None,
        text: str | None = None,
        uncategorized: bool | None = None,
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Part]":
        """The parts of a book, newest day first.

        Args:
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            category_id: those of this category, and of what is under it.
            payee_id: those of this payee.
            tag_id: those with this tag.
            wallet_id: those of this wallet.
            type: those whose category is under this root.
            amount_from: those of this amount or more, whatever their sign.
            amount_to: those of this amount or less.
            from_day: those of this day or later.
            to_day: those before this day.
            text: those in whose note, description or reference all these words are.
            uncategorized: with True, only those that are uncategorised income or expense.
            page_size: items per request, 1 to 100.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
            LabelNotFound: the book has no such label.
        """
        query = {
            "user_id": user_id,
            "organization_id": organization_id,
            "category_id": category_id,
            "payee_id": payee_id,
            "tag_id": tag_id,
            "wallet_id": wallet_id,
            "type": type,
            "amount_from": None if amount_from is None else amount_text(amount_from),
            "amount_to": None if amount_to is None else amount_text(amount_to),
            "from": day_text(from_day),
            "to": day_text(to_day),
            "text": text,
            "uncategorized": None if uncategorized is None else str(uncategorized).lower(),
            "limit": page_size,
        }

        def page_after(cursor: str | None) -> "Call[Page[Part]]":
            return get_call("list_parts", "/parts", parts_of, query | {"cursor": cursor})

        return Pages(self._runner, page_after)

    def get(self, wallet_id: Id, wallet_version: int) -> "EntryParts":
        """Read an entry with its parts.

        Args:
            wallet_id: the wallet.
            wallet_version: the number of the entry within its wallet.

        Raises:
            WalletNotFound: there is none, or the caller may not see it.
            BookNotFound: its owner has no book.
            EntryNotFound: it has no such entry.
        """
        return self._runner.run(
            get_call(
                "get_entry_parts",
                _ENTRY,
                entry_parts_of,
                wallet_id=wallet_id,
                wallet_version=str(wallet_version),
            )
        )

    def set(
        self,
        wallet_id: Id,
        wallet_version: int,
        parts: Iterable[NewPart],
        *,
        booked_on: date | str | None = None,
        if_etag: str | None = None,
    ) -> "ChangedParts":
        """Say what an entry was for: all its parts, which sum to it. The call has no idempotency key.

        Args:
            wallet_id: the wallet.
            wallet_version: the number of the entry within its wallet.
            parts: as they are to be, at most 100.
            booked_on: the day on which the entry counts; default: it stays.
            if_etag: change them only if this is still their ``etag``.

        Raises:
            VersionMismatch: they have changed since.
            PartsUnbalanced: they don't sum to the entry.
            LabelNotFound: a label is not of the book.
            WalletNotFound, BookNotFound, EntryNotFound: as ``get``.
            OutcomeUnknown: they may have been changed; read them.
        """
        body: dict[str, Any] = {"parts": [each.members for each in parts]}
        if booked_on is not None:
            body["booked_on"] = day_text(booked_on)
        call = change_call(
            "set_entry_parts",
            "PUT",
            _ENTRY,
            changed_parts_of,
            encode(body),
            if_etag,
            wallet_id=wallet_id,
            wallet_version=str(wallet_version),
        )
        return self._runner.run(call)

    def edit(
        self,
        changes: Iterable[Mapping[str, Any]],
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
    ) -> Mapping[str, Any]:
        """Change the parts of up to 500 entries, each for itself; one run.

        Args:
            changes: as ``POST /api/v1/parts/bulk`` reads them: ``wallet_id``, ``wallet_version``, and ``parts`` or
                ``changes``.
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.

        Returns:
            ``{"run_id", "results"}`` as the service answers.

        Raises:
            BookNotFound: there is no book, or the caller may not see it.
            OutcomeUnknown: they may have been changed; read them.
        """
        body: dict[str, Any] = _owner(user_id, organization_id)
        body["changes"] = [dict(each) for each in changes]
        call = change_call("edit_parts", "POST", "/parts/bulk", document_of, encode(body), None)
        return self._runner.run(call)

    def undo(self, run_id: Id) -> "Undone":
        """Take a change back as a whole. What was changed after it stays, and is listed. Again it changes nothing.

        Args:
            run_id: of the change.

        Raises:
            RunNotFound: there is none, or the caller may not see its book.
            OutcomeUnknown: it may have been taken back; call again.
        """
        call = change_call("undo_run", "POST", "/runs/{run_id}/undo", undone_of, None, None, run_id=run_id)
        return self._runner.run(call)

    def note(
        self,
        type: "Literal['income', 'expense']",  # noqa: A002 - the parameter's name in the API
        amount: Amount,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        wallet_id: Id | None = None,
        currency: str | None = None,
        category_id: Id | None = None,
        payee_id: Id | None = None,
        tag_ids: Sequence[Id] = (),
        note: str | None = None,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Note an income or expense in one step: a deposit or withdrawal with its part.

        Args:
            type: ``income`` or ``expense``.
            amount: more than 0, in the wallet's currency.
            user_id: whose book it is; default: the user of the token, or the owner of the wallet.
            organization_id: instead of a user, the organization whose book it is.
            wallet_id: the wallet, without owner and currency; default: the mirrored one of the currency.
            currency: without a wallet, its currency; default: that of the book.
            category_id: what it was for.
            payee_id: who was paid, or paid.
            tag_ids: its tags.
            note: a text about it.
            description: stored with the entry.
            reference: stored with the entry.
            metadata: stored with the entry.
            effective_at: when it happened, with a time zone; default: now.
            idempotency_key: it is posted once per key; default: a new key.

        Raises:
            WalletNotFound: there is none of the currency.
            Forbidden: a user's token named an operating wallet, or has no other.
            LabelNotFound: a label is not of the book.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        body = _owner(user_id, organization_id) | {
            "type": type,
            "amount": amount_text(amount),
            "wallet_id": None if wallet_id is None else name_text(wallet_id),
            "currency": currency,
            **NewPart(None, category_id, payee_id, tag_ids, note).members,
            "description": description,
            "reference": reference,
            "metadata": metadata,
            "effective_at": moment(effective_at, "effective_at"),
        }
        call = post_call("note_transaction", "/quick-transactions", transaction_of, body, idempotency_key)
        return self._runner.run(call)


class PairsResource:
    """``client.pairs``: a debit and a credit of two wallets that are one transfer of their owner."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def list(
        self,
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
        state: "PairState" = "paired",
        page_size: int = PAGE_SIZE,
    ) -> "Pages[Pair]":
        """The pairs of a book, oldest first.

        Args:
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.
            state: ``suggested``: what could be one.
            page_size: items per request, 1 to 100.

        Raises:
            BookNotFound: there is no book yet, or the caller may not see it.
        """
        query = {
            "user_id": user_id,
            "organization_id": organization_id,
            "state": state,
            "limit": page_size,
        }

        def page_after(cursor: str | None) -> "Call[Page[Pair]]":
            return get_call("list_pairs", "/pairs", pairs_of, query | {"cursor": cursor})

        return Pages(self._runner, page_after)

    def create(
        self,
        debit: tuple[Id, int],
        credit: tuple[Id, int],
        *,
        user_id: Id | None = None,
        organization_id: Id | None = None,
    ) -> "Pair":
        """Make two entries a pair. The same call again returns the same pair.

        Args:
            debit: the wallet and ``wallet_version`` of the entry that takes the amount.
            credit: those of the entry of another wallet that adds it.
            user_id: whose book it is; default: the user of the token.
            organization_id: instead of a user, the organization whose book it is.

        Raises:
            EntryNotFound: the book has no such entry.
            PairExists: one of them is in another pair.
            OutcomeUnknown: it may have been made; call again.
        """
        body: dict[str, Any] = _owner(user_id, organization_id)
        for name, (wallet_id, version) in (("debit", debit), ("credit", credit)):
            body[name] = {"wallet_id": name_text(wallet_id), "wallet_version": version}
        call = change_call("create_pair", "POST", "/pairs", pair_of, encode(body), None)
        return self._runner.run(call)

    def delete(self, pair_id: Id) -> None:
        """Dissolve a pair, or dismiss a suggestion: the service does not pair or suggest them again.

        Args:
            pair_id: the pair.

        Raises:
            PairNotFound: there is none, or the caller may not see its book.
            OutcomeUnknown: it may have been dissolved.
        """
        call = change_call(
            "delete_pair", "DELETE", "/pairs/{pair_id}", nothing_of, None, None, pair_id=pair_id
        )
        return self._runner.run(call)


def _owner(user_id: Id | None, organization_id: Id | None) -> dict[str, Any]:
    named = {"user_id": user_id, "organization_id": organization_id}
    return {name: str(value) for name, value in named.items() if value is not None}

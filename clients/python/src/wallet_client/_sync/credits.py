# Generated from wallet_client/_async/credits.py by scripts/unasync. Change that file, and run scripts/unasync.
"""A user's credits, by user id instead of wallet id."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from wallet_client._call import Id, Moment, get_call, post_call
from wallet_client._responses import credits_of, transaction_of
from wallet_client._sync.runner import Runner
from wallet_client.money import Amount
from wallet_client.operations import NewPart, movement_members

if TYPE_CHECKING:
    from wallet_client.models import Credits, Transaction


class CreditsResource:
    """``client.credits``: the wallet from which a user's credits are consumed: the primary one in ``CREDIT``."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def balance(self, user_id: Id) -> "Credits":
        """Read a user's credits: 0 for a user without such a wallet. No wallet is created.

        Args:
            user_id: the user.

        Raises:
            WalletNotFound: the caller is another user.
        """
        call = get_call("get_credits", "/users/{user_id}/credits/balance", credits_of, user_id=user_id)
        return self._runner.run(call)

    def consume(
        self,
        user_id: Id,
        amount: Amount,
        *,
        description: str | None = None,
        reference: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        effective_at: Moment | None = None,
        counter_account: str | None = None,
        parts: Iterable[NewPart] | None = None,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> "Transaction":
        """Pay for usage with a user's credits: a ``consume`` of the wallet.

        Args:
            user_id: the user.
            amount: in credits, more than 0: Decimal, int or str, never a float.
            description: a text for people, at most 1000 characters.
            reference: the caller's own reference, such as an invoice number; ``transactions.list`` can search for it.
            metadata: a JSON object, at most 16 KiB.
            effective_at: when the movement takes effect, with a time zone; default: the time of posting.
            counter_account: the other side of the posting; default ``revenue:usage``.
            parts: what it is for, where the wallet's owner has a book: they sum to the entry. Default: by its rules.
            dry_run: return the transaction as if it were posted, and store nothing.
            idempotency_key: the movement is posted once per key; default: a new key.

        Raises:
            InsufficientFunds: the amount is more than what is available; ``shortfall`` is the difference.
            WalletFrozen, WalletClosed: the wallet allows no debit.
            OutcomeUnknown: there was no response in time; call again with the error's ``idempotency_key``.
            TypeError, ValueError: an argument can't be sent, such as a float.
        """
        members = movement_members(
            amount,
            description,
            reference,
            metadata,
            effective_at,
            counter_account,
            parts=parts,
            dry_run=dry_run,
        )
        route = "/users/{user_id}/credits/consume"
        call = post_call("consume_credits", route, transaction_of, members, idempotency_key, user_id=user_id)
        return self._runner.run(call)

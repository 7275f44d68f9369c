"""A user's credits: the primary CREDIT wallet, made at first use."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wallet_client._call import Answer, Call, Id, get, post
from wallet_client._decoding import reader_in
from wallet_client._method import Method, Resource, S_co
from wallet_client.keys import new_key
from wallet_client.money import Amount
from wallet_client.operations import movement_members
from wallet_client.resources.transactions import transaction_of

if TYPE_CHECKING:
    from wallet_client.models import Credits, Transaction


def credits_of(answer: Answer) -> "Credits":
    """The credits of an answer."""
    return reader_in("models", "Credits")(answer.document)


def get_credits(user_id: Id) -> "Call[Credits]":
    """Read a user's credits; 0 for a user who had none."""
    return get("get_credits", "/users/{user_id}/credits/balance", credits_of, user_id=user_id)


def consume_credits(
    user_id: Id,
    amount: Amount,
    *,
    description: str | None = None,
    reference: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    effective_at: datetime | None = None,
    counter_account: str | None = None,
    dry_run: bool = False,
    idempotency_key: str | None = None,
) -> "Call[Transaction]":
    """Debit a user's credits.

    Raises:
        InsufficientFunds: more than is available.
        OutcomeUnknown: no answer came in time; call again with the error's ``idempotency_key``.
    """
    members = movement_members(amount, description, reference, metadata, effective_at, counter_account)
    members["dry_run"] = dry_run or None
    key = new_key() if idempotency_key is None else idempotency_key
    route = "/users/{user_id}/credits/consume"
    return post("consume_credits", route, transaction_of, members, key, user_id=user_id)


class CreditsResource(Resource[S_co]):
    """A user's credits."""

    balance = Method(get_credits)
    consume = Method(consume_credits)

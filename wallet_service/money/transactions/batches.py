"""The parts of a batch that could not be read, and those that an atomic one leaves out."""

from collections.abc import Sequence

from wallet_service.ledger.outcomes import Outcome, Refused
from wallet_service.ledger.problems import BatchAborted
from wallet_service.money.transactions.schemas import BatchRequest


def unread(request: BatchRequest) -> Sequence[object]:
    """The operations as they came: the schema describes them and leaves their validation to this room."""
    return request.operations


def without_tag(place: Sequence[int | str]) -> Sequence[int | str]:
    """Pydantic puts the chosen type before the member's name; the caller knows no such step."""
    return place[1:] if len(place) > 1 else place


def aborted(size: int, index: int, fault: Refused) -> list[Outcome]:
    """The outcomes of an atomic batch with a fault at this index."""
    aborted = Refused(BatchAborted(index=index))
    return [fault if place == index else aborted for place in range(size)]

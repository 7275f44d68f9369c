"""The operations of a batch as they came, and batches that post nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from wallet_service.ledger.outcomes import Outcome, Refused
from wallet_service.ledger.problems import BatchAborted
from wallet_service.money.transactions.room_operations import BatchRoomOperation
from wallet_service.money.transactions.schemas import (
    BatchAdjustment,
    BatchEntries,
    BatchMovement,
    BatchOperation,
    BatchRefund,
    BatchRequest,
    BatchTransfer,
)
from wallet_service.platform.web.problems import validation_problem

_OwnOperation = BatchMovement | BatchTransfer | BatchRefund | BatchAdjustment | BatchEntries
_OWN: TypeAdapter[_OwnOperation] = TypeAdapter(BatchOperation)


def unread(request: BatchRequest) -> Sequence[object]:
    """The operations as they came: the schema describes them and leaves their validation to this room."""
    return request.operations


def read_operation(
    document: object, requests: Mapping[str, type[BatchRoomOperation]]
) -> _OwnOperation | BatchRoomOperation:
    """An operation of a batch.

    Args:
        document: as it came.
        requests: the models of those that rooms decide, by the name of their type.

    Raises:
        ValidationFailed: it has another form.
    """
    named = cast("dict[str, Any]", document).get("type") if isinstance(document, dict) else None
    model = requests.get(named) if isinstance(named, str) else None
    try:
        return _OWN.validate_python(document) if model is None else model.model_validate(document)
    except ValidationError as error:
        found = [
            {**each, "loc": ("body", *(_without_tag(each["loc"]) if model is None else each["loc"]))}
            for each in error.errors()
        ]
        raise validation_problem(found) from error


def aborted(size: int, index: int, fault: Refused) -> list[Outcome]:
    """The outcomes of an atomic batch of this size in which the operation at an index can't be read."""
    others = Refused(BatchAborted(index=index))
    return [fault if place == index else others for place in range(size)]


def _without_tag(place: Sequence[int | str]) -> Sequence[int | str]:
    """Pydantic puts the chosen type before the member's name; the caller knows no such step."""
    return place[1:] if len(place) > 1 else place

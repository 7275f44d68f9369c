"""What rooms declared to happen before and after postings."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError

from wallet_service.core.room import AfterPosting, Moved, OperationType, Permission, PostingCheck
from wallet_service.ledger.operations import Operation
from wallet_service.ledger.outcomes import Outcome, Posted
from wallet_service.money.transactions.room_operations import BatchRoomOperation
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.web.problems import validation_problem

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PostingHooks:
    """The checks and reports of an application's rooms, and the types of operations that they declare.

    Attributes:
        state: of the application.
        types: every type by its name.
        requests: the models of operations of a batch that rooms decide, by the name of their type.
        permissions: the permission that an operation needs, by the name of its type.
        checks: called before a posting.
        after: called after it.
        members: of requests, which rooms add.
    """

    state: Any
    types: Mapping[str, OperationType]
    requests: Mapping[str, type[BatchRoomOperation]]
    permissions: Mapping[str, Permission]
    checks: Sequence[PostingCheck]
    after: Sequence[AfterPosting]
    members: "RequestMembers"

    async def check(self, caller: Principal, operation: Operation) -> None:
        """Ask every room whether the operation may be posted.

        Raises:
            WalletError: the refusal of the first room that refuses.
        """
        for check in self.checks:
            await check(self.state, caller, operation)

    def report(self, operations: Sequence[Operation], outcomes: Sequence[Outcome]) -> None:
        """Report the entries of new postings to every room. What a room raises is logged: the money has moved."""
        if not self.after:
            return
        moved = [
            each
            for operation, outcome in zip(operations, outcomes, strict=True)
            if isinstance(outcome, Posted) and not outcome.dry_run and not outcome.replayed
            for each in _moved(operation, self.types[operation.type], outcome)
        ]
        if not moved:
            return
        for report in self.after:
            try:
                report(self.state, moved)
            except Exception:  # noqa: BLE001  # of any room; the caller's response must not depend on it
                _log.exception("after_posting_failed")


class RequestMembers:
    """The members that rooms add to requests that move money.

    Args:
        models: of each room, with the permission for giving one of its members.
    """

    def __init__(self, models: Sequence[tuple[Permission, type[BaseModel]]]) -> None:
        self._models = models
        self._known = {name for _, model in models for name in model.model_fields}

    def read(self, caller: Principal, given: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What rooms read of a request with these members beside those of the ledger; None: of none.

        Args:
            caller: of the request.
            given: by name, as they came.

        Raises:
            ValidationFailed: a member is unknown, or has a value that the room refuses.
            Forbidden: the caller may not give one.
        """
        errors: list[Mapping[str, Any]] = [
            {"type": "extra_forbidden", "loc": ("body", name), "msg": "Extra inputs are not permitted"}
            for name in given
            if name not in self._known
        ]
        terms: dict[str, Any] = {}
        for permission, model in self._models:
            own = {name: value for name, value in given.items() if name in model.model_fields}
            if not own:
                continue
            try:
                read = model.model_validate(own)
            except ValidationError as error:
                errors += [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
                continue
            found = read.model_dump(mode="json", exclude_none=True)
            if found:
                caller.require(permission)
                terms |= found
        if errors:
            raise validation_problem(errors)
        return terms or None


def _moved(operation: Operation, kind: OperationType, posted: Posted) -> Sequence[Moved]:
    """The entries of a posting; the response is parsed only where the operation does not name them all."""
    if posted.transaction == b"null":
        return ()
    if operation.entries:
        return [Moved(entry.wallet_id, entry.direction == "debit") for entry in operation.entries]
    wallet_id = operation.wallet_id or posted.wallet_id()
    match kind.form:
        case "movement":
            return (Moved(wallet_id, kind.direction == "debit"),)
        case "transfer" if operation.to_wallet_id is not None:
            return Moved(wallet_id, is_debit=True), Moved(operation.to_wallet_id, is_debit=False)
        case _:  # only the posting shows the direction
            transaction: dict[str, Any] = json.loads(posted.transaction)
            legs = transaction["legs"] or [transaction]
            return [Moved(leg["wallet_id"], leg["direction"] == "debit") for leg in legs]

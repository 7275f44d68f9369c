"""What is read of the answers of other services."""

from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel

from wallet_service.platform.upstreams.problems import UpstreamUnavailable

_ROUTERS_DETAIL = "Not Found"
"""What FastAPI and Starlette's routers say where no route is: nothing about the thing that was asked for."""

_Shape = TypeVar("_Shape", bound=BaseModel)


class Unreadable(ValueError):
    """What is wrong with an answer, said without a word of it: it goes into the log."""


class AnswerUnusable(Exception):
    """The service answered, and said neither yes nor no: it is there, and asking again gives the same.

    Attributes:
        upstream: its name.
        answered: the status of the answer.
        refuses_id: it says that what was asked for can't be the id of anything.
    """

    def __init__(self, upstream: str, answered: int, *, refuses_id: bool) -> None:
        super().__init__(f"The {upstream} service gave no answer that can be used")
        self.upstream = upstream
        self.answered = answered
        self.refuses_id = refuses_id

    def as_away(self) -> UpstreamUnavailable:
        """The refusal, where it makes no difference."""
        return UpstreamUnavailable(str(self), upstream=self.upstream)


def refuses_id(status: int, document: dict[str, Any]) -> bool:
    """Whether it says that there can be no such id. A proxy's own 400 is about something else, and has no detail."""
    return status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY} and "detail" in document


def says_unknown(status: int, document: dict[str, Any]) -> bool:
    """Whether it says that there is no such thing.

    Gateways and routers answer 404 by themselves where they have no way to the service: taken for "unknown", a wrong
    URL would freeze wallets.
    """
    detail = document.get("detail")
    return status == HTTPStatus.NOT_FOUND and isinstance(detail, str) and detail != _ROUTERS_DETAIL


def answered(status: int, shape: type[_Shape], document: dict[str, Any], **asked: str) -> _Shape:
    """What a 200 says about exactly the thing that was asked for.

    Some servers take an encoded slash for a slash: then an answer can be about something else.

    Raises:
        ValueError: another status, another form, or something else.
    """
    if status != HTTPStatus.OK:
        raise Unreadable(f"the answer has status {status}")
    found = shape.model_validate(document)
    if any(getattr(found, name) != value for name, value in asked.items()):
        raise Unreadable("the answer is about something else")
    return found

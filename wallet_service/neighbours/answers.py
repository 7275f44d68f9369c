"""What is read of the answers of other services."""

from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel

_Shape = TypeVar("_Shape", bound=BaseModel)


def answered(status: int, shape: type[_Shape], document: dict[str, Any], **asked: str) -> _Shape:
    """What a 200 says about exactly the thing that was asked for.

    Some servers take an encoded slash for a slash: then an answer can be about something else.

    Raises:
        ValueError: another status, another form, or something else.
    """
    if status != HTTPStatus.OK:
        raise ValueError(f"the answer has status {status}")
    found = shape.model_validate(document)
    if any(getattr(found, name) != value for name, value in asked.items()):
        raise ValueError("the answer is about something else")
    return found

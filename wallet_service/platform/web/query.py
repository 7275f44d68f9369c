"""Values of a query, which are text. Each has one spelling: what Python or pydantic would also accept is refused."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

_WHOLE = re.compile(r"0|[1-9][0-9]{0,18}")


def _whole(value: Any) -> Any:
    # Leniently, "5_0", " 50", "+50", "050", "50.0" and digits of other scripts would be 50 as well.
    if isinstance(value, str) and not _WHOLE.fullmatch(value):
        raise PydanticCustomError("int_parsing", "must be a whole number in the digits 0 to 9, such as 50")
    return value


def _truth(value: Any) -> Any:
    # Leniently, "1", "on", "yes", "t" and their capitals would be true as well.
    if isinstance(value, str) and value not in {"true", "false"}:
        raise PydanticCustomError("bool_parsing", "must be true or false")
    return value


DIGITS = BeforeValidator(_whole)
"""Before the type of a whole number, with its bounds: ``Annotated[int, Field(ge=1), DIGITS]``."""

BoolInQuery = Annotated[bool, BeforeValidator(_truth)]
"""``true`` or ``false``."""

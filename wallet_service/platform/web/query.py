"""Queries. A name that the path does not read is refused, and each value has one spelling.

What Python or pydantic would also accept for a value is refused. A filter whose name is wrong would select too much.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi.dependencies.models import Dependant
from pydantic import BaseModel, BeforeValidator
from pydantic_core import PydanticCustomError
from starlette.datastructures import QueryParams

from wallet_service.platform.web.problems import validation_problem

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


def parameters_of(dependant: Dependant) -> frozenset[str]:
    """The names of the query parameters that an endpoint and its dependencies read."""
    own = {name for field in dependant.query_params for name in _names(field)}
    return frozenset(own.union(*map(parameters_of, dependant.dependencies)))


def _names(field: Any) -> Iterable[str]:
    model = field.field_info.annotation
    if isinstance(model, type) and issubclass(model, BaseModel):
        return [each.alias or name for name, each in model.model_fields.items()]
    return [field.alias]


def require_known(query: QueryParams, known: frozenset[str]) -> None:
    """Refuse a query with other parameters.

    Raises:
        ValidationFailed: it has one that the path does not read.
    """
    unknown = sorted(set(query) - known)
    if unknown:
        message = f"there is no such parameter, only {', '.join(sorted(known))}"
        raise validation_problem(
            [{"loc": ("query", name), "type": "extra_forbidden", "msg": message} for name in unknown]
        )

"""Converts JSON documents to models, by the annotations of the models' fields."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

M = TypeVar("M")

_Convert = Callable[[Any], Any]

_OF_LEAVES: Mapping[Any, _Convert] = {
    Decimal: Decimal,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
}


def decoder(model: type[M]) -> Callable[[Mapping[str, Any]], M]:
    """A function that makes the model from a document.

    The function raises LookupError, TypeError, ValueError or ArithmeticError if the document lacks what the model needs.
    Members that the model does not know are left out. A field with a default is not read from the document, unless it is
    ``models.later``: then the default stands for the member of a service that does not have it yet.
    """
    kind: Any = model
    return _compiled(kind)


@cache
def _compiled(model: Any) -> Callable[[Mapping[str, Any]], Any]:
    hints = get_type_hints(model)
    named = [each.name for each in fields(model) if each.default is MISSING]
    steps = [(name.rstrip("_"), _converter(hints[name])) for name in named]
    later = [
        (each.name, each.default, _converter(hints[each.name]))
        for each in fields(model)
        if "later" in each.metadata
    ]

    def decode(document: Mapping[str, Any]) -> Any:
        values: list[Any] = []
        for name, convert in steps:
            value = document[name]
            values.append(value if convert is None or value is None else convert(value))
        return model(*values)

    def decode_later(document: Mapping[str, Any]) -> Any:
        made = decode(document)
        for name, default, convert in later:
            value = document.get(name, default)
            converted = value if convert is None or value is default else convert(value)
            object.__setattr__(made, name, converted)  # frozen, and not yet handed out
        return made

    return decode_later if later else decode


def _converter(hint: Any) -> _Convert | None:
    """Converts a value of the document, which is not null, to the field's type; None: no conversion is needed."""
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        (hint,) = (each for each in get_args(hint) if each is not types.NoneType)
        origin = get_origin(hint)
    if origin is Mapping:
        from wallet_client.models import ReadOnly  # noqa: PLC0415 - loaded at the first response

        return ReadOnly
    if origin is tuple:
        return _tuple_of(_compiled(get_args(hint)[0]))
    if hint in _OF_LEAVES:
        return _OF_LEAVES[hint]
    return _compiled(hint) if hasattr(hint, "__dataclass_fields__") else None


def _tuple_of(decode: _Convert) -> _Convert:
    def convert(items: list[Any]) -> tuple[Any, ...]:
        return tuple([decode(item) for item in items])

    return convert

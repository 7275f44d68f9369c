"""From a JSON document to a model: by the annotations of its fields, looked at once."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from decimal import Decimal
from functools import cache
from importlib import import_module
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

M = TypeVar("M")

_Convert = Callable[[Any], Any]

_OF_LEAVES: Mapping[Any, _Convert] = {Decimal: Decimal, datetime: datetime.fromisoformat}


@cache
def reader_in(module: str, name: str) -> Callable[[Mapping[str, Any]], Any]:
    """The reader of a model of this module, such as ``models``, which is loaded at the first answer."""
    return _compiled(getattr(import_module(f"wallet_client.{module}"), name))


def reader(model: type[M]) -> Callable[[Mapping[str, Any]], M]:
    """A function that makes the model of a document.

    It raises LookupError, TypeError, ValueError or ArithmeticError where the document has not what the model needs.
    What the model does not know is left out; a field with a default is not of the document.
    """
    return _compiled(model)


@cache
def _compiled(model: Any) -> Callable[[Mapping[str, Any]], Any]:
    hints = get_type_hints(model)
    named = [each.name for each in fields(model) if each.default is MISSING]
    steps = [(name.rstrip("_"), _converter(hints[name])) for name in named]

    def read(document: Mapping[str, Any]) -> Any:
        values: list[Any] = []
        for name, convert in steps:
            value = document[name]
            values.append(value if convert is None or value is None else convert(value))
        return model(*values)

    return read


def _converter(hint: Any) -> _Convert | None:
    """What makes the field's value of the document's, which is not null; None: nothing has to be done."""
    origin = get_origin(hint)
    if origin in {Union, types.UnionType}:
        (hint,) = (each for each in get_args(hint) if each is not types.NoneType)
        origin = get_origin(hint)
    if origin is Mapping:
        return getattr(import_module("wallet_client.models"), "ReadOnly")  # noqa: B009 - typed as a model is
    if origin is tuple:
        return _tuple_of(_compiled(get_args(hint)[0]))
    if hint in _OF_LEAVES:
        return _OF_LEAVES[hint]
    return _compiled(hint) if hasattr(hint, "__dataclass_fields__") else None


def _tuple_of(read: _Convert) -> _Convert:
    def convert(items: list[Any]) -> tuple[Any, ...]:
        return tuple([read(item) for item in items])

    return convert

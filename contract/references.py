"""References within an OpenAPI document."""

from collections.abc import Mapping
from typing import Any, cast

_SCHEMAS = "#/components/schemas/"


def referenced(reference: str, document: Mapping[str, Any]) -> Any:
    """The part of the document that the reference refers to.

    Args:
        reference: ``#/components/headers/ETag``.
        document: the whole document.

    Raises:
        KeyError: the document has no such part.
    """
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        if step not in found:
            raise KeyError(f"the document has no {reference}")
        found = found[step]
    return found


def inlined(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its shared responses, headers, examples and parameters in each place that references them.

    References to schemas stay: a schema may contain itself, and its name is part of the contract. References to
    other documents stay too. What stands beside a reference (``description``, ``summary``) replaces what it names.

    Raises:
        KeyError: a reference names a part that the document does not have.
    """
    return cast("dict[str, Any]", _inlined(document, document))


def _inlined(part: Any, document: Mapping[str, Any]) -> Any:
    if isinstance(part, list):
        return [_inlined(each, document) for each in cast("list[Any]", part)]
    if not isinstance(part, Mapping):
        return part
    members = cast("Mapping[str, Any]", part)
    reference = members.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/") or reference.startswith(_SCHEMAS):
        return {name: _inlined(value, document) for name, value in members.items()}
    beside = {name: value for name, value in members.items() if name != "$ref"}
    return _inlined({**referenced(reference, document), **beside}, document)

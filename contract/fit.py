"""Checks whether every value of one schema of an OpenAPI 3.1 document is a value of another one, and reports why not."""

import json
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, cast

from contract.references import referenced

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_OPAQUE = ("pattern", "format", "not", "uniqueItems", "multipleOf")
_PROSE = {"title", "description", "examples", "example", "deprecated", "externalDocs", "summary", "$comment"}
_READ = {*_LOWER, *_UPPER, *_OPAQUE, "$ref", "anyOf", "oneOf", "allOf", "type", "enum", "const", "items"} | {
    *("properties", "required", "additionalProperties", "propertyNames", "default", "discriminator")
}


def undecided(before: Schema, after: Schema, decided: AbstractSet[str], place: str) -> Iterator[str]:
    """Differences that are neither in ``decided`` nor in texts for people."""
    for word in sorted((before.keys() | after.keys()) - decided - _PROSE):
        if not word.startswith("x-") and written(before.get(word)) != written(after.get(word)):
            yield f"{place}: can't decide: {word} changed"


def written(value: Any) -> str:
    """The value as JSON, in which ``False`` and 0 differ."""
    return json.dumps(value, sort_keys=True)


class Fit:
    """Whether values of one document's schema are values of the other's.

    Args:
        given: the document of the writer of the values: the old one for requests, the new one for responses.
        taken: the document of the reader.
        responses: values are responses: missing members are reported, new values of an enumeration are not.
    """

    def __init__(self, given: Schema, taken: Schema, *, responses: bool) -> None:
        self._given = given
        self._taken = taken
        self._responses = responses
        self._under_way: set[tuple[str, str]] = set()

    def misfits(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        """The reasons why a value of ``given`` may not be a value of ``taken``."""
        pair = (str(given.get("$ref")), str(taken.get("$ref")))
        if "$ref" in given and pair in self._under_way:
            return  # a schema that contains itself
        self._under_way.add(pair)
        choices, read = _choices(given, self._given), _choices(taken, self._taken)
        yield from self._beside(given, taken, choices[0], read[0], place)
        for choice in choices:
            reasons = [list(self._one(choice, other, place)) for other in read]
            if all(reasons):
                # Report the choice that fits best.
                yield from min(reasons, key=lambda found: (any("type" in each for each in found), len(found)))
        if self._responses:
            yield from self._gone(choices, read, place)
        self._under_way.discard(pair)

    def _beside(
        self, given: Schema, taken: Schema, first: Schema, other: Schema, place: str
    ) -> Iterator[str]:
        """Differences of default and discriminator. All choices have the default of the whole schema."""
        before, after = self._in_order(first.get("default"), other.get("default"))
        if not self._responses and written(before) != written(after):
            yield f"{place}: default was {_said(before)}, is {_said(after)}"
        before, after = self._in_order(given.get("discriminator", {}), taken.get("discriminator", {}))
        if written(before.get("propertyName")) != written(after.get("propertyName")) or (
            before.get("mapping", {}).keys() - after.get("mapping", {}).keys()
        ):
            yield f"{place}: can't decide: discriminator changed"

    def _in_order(self, given: Any, taken: Any) -> tuple[Any, Any]:
        """The part of the old document, and that of the new one."""
        return (taken, given) if self._responses else (given, taken)

    def _gone(self, choices: list[Schema], read: list[Schema], place: str) -> Iterator[str]:
        now = {value for choice in choices for value in _values(choice) or ()}
        if all(_values(choice) is not None or choice.get("type") == "null" for choice in choices):
            before = [value for choice in read for value in _values(choice) or ()]
            yield from (f"{place}: {value!r} is gone" for value in before if value not in now)

    def _one(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        before, after = self._in_order(given, taken)
        if not _types(given) <= _types(taken):
            yield f"{place}: type was {_shown(before)}, is {_shown(after)}"
            return
        values, allowed = _values(given), _values(taken)
        if allowed is not None and not self._responses:
            if values is None:
                yield f"{place}: is now one of {list(allowed)}"
            yield from (f"{place}: {value!r} is gone" for value in values or () if value not in allowed)
        elif allowed is not None and values is None:
            yield f"{place}: was one of {list(allowed)}"
        if values is None:
            yield from self._bounds(given, taken, place)
        yield from self._members(given, taken, place)
        yield from undecided(before, after, _READ, place)
        if "items" in taken:
            yield from self.misfits(given.get("items", {}), taken["items"], f"{place}/*")

    def _bounds(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        before, after = self._in_order(given, taken)
        for name in (*_LOWER, *_UPPER, *_OPAQUE):
            if name not in taken or taken[name] == given.get(name):
                continue
            wider = name in _LOWER and name in given and given[name] >= taken[name]
            wider = wider or (name in _UPPER and name in given and given[name] <= taken[name])
            wider = wider or (name == "uniqueItems" and not taken[name])
            wider = wider or (name == "multipleOf" and name in given and _divides(taken[name], given[name]))
            if not wider:
                yield f"{place}: {name} was {before.get(name, 'none')}, is {after.get(name, 'none')}"

    def _members(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        needed = set(taken.get("required", ())) - set(given.get("required", ()))
        said = "is no longer always there" if self._responses else "is now required"
        members: Schema = given.get("properties", {})
        read: Schema = taken.get("properties", {})
        gone = set(read) - set(members) if self._responses else set[str]()
        yield from (f"{place}/{name}: is gone" for name in sorted(gone))
        yield from (f"{place}/{name}: {said}" for name in sorted(needed - gone))
        others = taken.get("additionalProperties", True)
        for name, schema in members.items():
            if name in read:
                yield from self.misfits(schema, read[name], f"{place}/{name}")
            elif others is False and not self._responses:
                yield f"{place}/{name}: is no longer accepted"
        if "propertyNames" in taken:
            any_name = {"type": "string"}
            names, allowed = ({**any_name, **each.get("propertyNames", {})} for each in (given, taken))
            yield from self.misfits(names, allowed, f"{place}, its members' names")
        rest = given.get("additionalProperties", True)
        if isinstance(others, Mapping) and rest is not False:
            inner = cast("Schema", rest if isinstance(rest, Mapping) else {})
            yield from self.misfits(inner, cast("Schema", others), f"{place}/*")
        elif others is False and rest is not False and not self._responses:
            yield f"{place}: other members are no longer accepted"


def _choices(schema: Schema, document: Schema) -> list[Schema]:
    """The schema as a list of plain ones, of which a value fits any: no reference, no anyOf, one type each."""
    if "$ref" in schema:
        return _choices(_resolved(schema, document), document)
    if "allOf" in schema:
        whole: Schema = {name: value for name, value in schema.items() if name != "allOf"}
        for part in schema["allOf"]:
            whole = _both(whole, _resolved(part, document))
        return _choices(whole, document)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            base = {name: value for name, value in schema.items() if name not in {word, "discriminator"}}
            return [plain for each in schema[word] for plain in _choices(_both(base, each), document)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": each} for each in schema["type"]]
    return [schema]


def _resolved(schema: Schema, document: Schema) -> Schema:
    """The schema with its reference resolved. Keywords beside the reference refine the schema that it names."""
    if "$ref" not in schema:
        return schema
    found = referenced(str(schema["$ref"]), document)
    return _both(found, {name: value for name, value in schema.items() if name != "$ref"})


def _both(first: Schema, second: Schema) -> Schema:
    """Both schemas in one. Where both describe the same member, the second refines the first."""
    merged = {**first, **second}
    for word in ("required", "allOf"):
        if word in first and word in second:
            merged[word] = [*first[word], *(each for each in second[word] if each not in first[word])]
    if "properties" in first and "properties" in second:
        of_first, of_second = first["properties"], second["properties"]
        merged["properties"] = {
            name: {**of_first.get(name, {}), **of_second.get(name, {})} for name in {**of_first, **of_second}
        }
    return merged


def _types(schema: Schema) -> set[str]:
    every = {"null", "boolean", "object", "array", "number", "integer", "string"}
    if "type" in schema:
        return {schema["type"], "integer"} if schema["type"] == "number" else {schema["type"]}
    values = _values(schema)
    names = {bool: "boolean", str: "string", int: "integer", float: "number", type(None): "null"}
    return every if values is None else {names[type(value)] for value in values}


def _values(schema: Schema) -> tuple[Any, ...] | None:
    """The values that the schema lists; None where it lists none."""
    if "const" in schema:
        return (schema["const"],)
    return tuple(schema["enum"]) if "enum" in schema else None


def _shown(schema: Schema) -> str:
    return str(schema.get("type", "anything"))


def _said(value: Any) -> str:
    return "none" if value is None else written(value)


def _divides(divisor: Any, number: Any) -> bool:
    return Decimal(str(number)) % Decimal(str(divisor)) == 0

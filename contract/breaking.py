"""What a client of the old OpenAPI document meets when the service follows the new one.

Own code, because nothing well-kept does this where the tests run: oasdiff and openapi-changes are programs in Go, and the
latter's npm package fetches a binary on installing; npm's openapi-diff reads OpenAPI 3.0, and this is 3.1; PyPI has none
that is kept.

A request that was right must stay right: every value of the old schema is one of the new. An answer must stay
readable: every value of the new schema is one of the old, and no member is gone. Both are one question, asked in two
directions. Two things are left out on purpose, because clients have to stand them: new values of an answer's
enumeration, and new members of its objects. What can't be decided, such as another pattern, is named.
"""

from collections.abc import Iterator, Mapping
from typing import Any, cast

Schema = Mapping[str, Any]

_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")
_OPAQUE = ("pattern", "format", "not")
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What is no longer as a client of ``old`` knows it, one line each; empty when nothing breaks.

    Args:
        old: an OpenAPI 3.1 document.
        new: the document after it.
    """
    return [*dict.fromkeys(_paths(old, new))]


def _paths(old: Schema, new: Schema) -> Iterator[str]:
    asking, answering = _Fit(old, new, answers=False), _Fit(new, old, answers=True)
    for path, methods in old["paths"].items():
        for method, before in methods.items():
            if method not in _METHODS:
                continue
            name = f"{method.upper()} {path}"
            after = new["paths"].get(path, {}).get(method)
            if after is None:
                yield f"{name}: is gone"
                continue
            yield from (f"{name}: {change}" for change in _operation(before, after, asking, answering))


def _operation(old: Schema, new: Schema, asking: "_Fit", answering: "_Fit") -> Iterator[str]:
    if new.get("security") and not old.get("security"):
        yield "now needs credentials"
    yield from _parameters(old.get("parameters", ()), new.get("parameters", ()), asking)
    yield from _body(old.get("requestBody"), new.get("requestBody"), asking)
    for status, before in old["responses"].items():
        after = new["responses"].get(status)
        if after is None:
            yield f"no longer answers {status}"
            continue
        for header in sorted(before.get("headers", {}).keys() - after.get("headers", {}).keys()):
            yield f"{status} has no header {header} any more"
        yield from _contents(status, before.get("content", {}), after.get("content", {}), answering)


def _parameters(old: Any, new: Any, asking: "_Fit") -> Iterator[str]:
    before = {(each["in"], each["name"]): each for each in old}
    after = {(each["in"], each["name"]): each for each in new}
    for place, name in before.keys() - after.keys():
        yield f"{place} parameter {name} is gone"
    for key, parameter in after.items():
        name = f"{key[0]} parameter {key[1]}"
        known = before.get(key)
        if parameter.get("required") and not (known and known.get("required")):
            yield f"{name} is now required"
        if known:
            yield from asking.misfits(known["schema"], parameter["schema"], name)


def _body(old: Schema | None, new: Schema | None, asking: "_Fit") -> Iterator[str]:
    if new is None:
        if old is not None:
            yield "takes no body any more"
        return
    if new.get("required") and not (old and old.get("required")):
        yield "now requires a body"
    if old is not None:
        for media_type in old["content"].keys() - new["content"].keys():
            yield f"no longer reads {media_type}"
        for media_type in old["content"].keys() & new["content"].keys():
            before, after = (each["content"][media_type].get("schema", {}) for each in (old, new))
            yield from asking.misfits(before, after, "body")


def _contents(status: str, old: Schema, new: Schema, answering: "_Fit") -> Iterator[str]:
    for media_type in old.keys() - new.keys():
        yield f"{status} is no longer answered as {media_type}"
    for media_type in old.keys() & new.keys():
        yield from answering.misfits(
            new[media_type].get("schema", {}), old[media_type].get("schema", {}), f"{status} answer"
        )


class _Fit:
    """Whether values of one document's schema are values of the other's.

    Args:
        given: the document of who writes the values: the old one for requests, the new one for answers.
        taken: the document of who reads them.
        answers: values are answers: members that are gone matter, and new values of an enumeration don't.
    """

    def __init__(self, given: Schema, taken: Schema, *, answers: bool) -> None:
        self._given = given
        self._taken = taken
        self._answers = answers
        self._under_way: set[tuple[str, str]] = set()

    def misfits(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        """Why a value of ``given`` may be none of ``taken``."""
        pair = (str(given.get("$ref")), str(taken.get("$ref")))
        if "$ref" in given and pair in self._under_way:
            return  # a schema within itself
        self._under_way.add(pair)
        written, read = _choices(given, self._given), _choices(taken, self._taken)
        for choice in written:
            reasons = [list(self._one(choice, other, place)) for other in read]
            if all(reasons):
                # The nearest one tells the most.
                yield from min(reasons, key=lambda found: (any("type" in each for each in found), len(found)))
        if self._answers:
            yield from self._gone(written, read, place)
        self._under_way.discard(pair)

    def _gone(self, written: list[Schema], read: list[Schema], place: str) -> Iterator[str]:
        now = {value for choice in written for value in _values(choice) or ()}
        if all(_values(choice) is not None or choice.get("type") == "null" for choice in written):
            before = [value for choice in read for value in _values(choice) or ()]
            yield from (f"{place}: {value!r} is gone" for value in before if value not in now)

    def _one(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        before, after = (given, taken) if not self._answers else (taken, given)
        if not _types(given) <= _types(taken):
            yield f"{place}: type was {_shown(before)}, is {_shown(after)}"
            return
        values, allowed = _values(given), _values(taken)
        if allowed is not None and not self._answers:
            if values is None:
                yield f"{place}: is now one of {list(allowed)}"
            yield from (f"{place}: {value!r} is gone" for value in values or () if value not in allowed)
        elif allowed is not None and values is None:
            yield f"{place}: was one of {list(allowed)}"
        if values is None:
            yield from self._bounds(given, taken, place)
        yield from self._members(given, taken, place)
        if "items" in taken:
            yield from self.misfits(given.get("items", {}), taken["items"], f"{place}/*")

    def _bounds(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        before, after = (given, taken) if not self._answers else (taken, given)
        for name in (*_LOWER, *_UPPER, *_OPAQUE):
            if name not in taken or taken[name] == given.get(name):
                continue
            wider = name in _LOWER and name in given and given[name] >= taken[name]
            wider = wider or (name in _UPPER and name in given and given[name] <= taken[name])
            if not wider:
                yield f"{place}: {name} was {before.get(name, 'none')}, is {after.get(name, 'none')}"

    def _members(self, given: Schema, taken: Schema, place: str) -> Iterator[str]:
        needed = set(taken.get("required", ())) - set(given.get("required", ()))
        said = "is no longer always there" if self._answers else "is now required"
        written: Schema = given.get("properties", {})
        read: Schema = taken.get("properties", {})
        gone = set(read) - set(written) if self._answers else set[str]()
        yield from (f"{place}/{name}: is gone" for name in sorted(gone))
        yield from (f"{place}/{name}: {said}" for name in sorted(needed - gone))
        others = taken.get("additionalProperties", True)
        for name, schema in written.items():
            if name in read:
                yield from self.misfits(schema, read[name], f"{place}/{name}")
            elif others is False and not self._answers:
                yield f"{place}/{name}: is no longer accepted"
        rest = given.get("additionalProperties", True)
        if isinstance(others, Mapping) and rest is not False:
            inner = cast("Schema", rest if isinstance(rest, Mapping) else {})
            yield from self.misfits(inner, cast("Schema", others), f"{place}/*")
        elif others is False and rest is not False and not self._answers:
            yield f"{place}: other members are no longer accepted"


def _choices(schema: Schema, document: Schema) -> list[Schema]:
    """The schema as a list of plain ones, of which a value fits any: no reference, no anyOf, one type each."""
    if "$ref" in schema:
        found: Any = document
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        beside = {name: value for name, value in schema.items() if name != "$ref"}
        return _choices(_both(found, beside), document)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            base = {name: value for name, value in schema.items() if name not in {word, "discriminator"}}
            return [plain for each in schema[word] for plain in _choices(_both(base, each), document)]
    if isinstance(schema.get("type"), list):
        return [{**schema, "type": each} for each in schema["type"]]
    return [schema]


def _both(first: Schema, second: Schema) -> Schema:
    """What both say; of two that say something of the same member, the second refines the first."""
    merged = {**first, **second}
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
    """The only values that there are, where they are listed."""
    if "const" in schema:
        return (schema["const"],)
    return tuple(schema["enum"]) if "enum" in schema else None


def _shown(schema: Schema) -> str:
    return str(schema.get("type", "anything"))

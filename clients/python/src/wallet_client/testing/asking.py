"""What a request asks: its path, query, headers and body, in the forms that its route wants, or why they are not."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NoReturn, TypeAlias, cast
from urllib.parse import parse_qsl

from wallet_client.testing import forms
from wallet_client.testing.callers import Caller
from wallet_client.testing.problems import Refusal, fault, invalid
from wallet_client.testing.store import Store

ROOT = "/api/v1"

DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that is readable: its members have the forms that its path wants."""

    caller: Caller
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    header_key: str | None
    headers: Mapping[str, str]

    def key(self) -> str | None:
        """The one key of a request that may name it in its header, in its body, or not at all."""
        body_key = self.body.get("idempotency_key")
        if None not in (self.header_key, body_key) and self.header_key != body_key:
            raise Refusal("idempotency_key_conflict")
        return self.header_key if self.header_key is not None else body_key


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, document, headers."""

    status: int
    document: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


Handler: TypeAlias = Callable[[Store, Asked], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A path and method, and the forms of what comes with it (None: it is not read).

    Attributes:
        not_for_users: why a user's token is refused; None: it is not.
    """

    method: str
    template: str
    handler: Handler
    body: forms.Form | None = None
    query: forms.Form | None = None
    keyed: bool = False
    not_for_users: str | None = None

    def match(self, path: str) -> Mapping[str, str] | None:
        """The parts of a path that is this one."""
        found = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", ROOT + self.template), path)
        return None if found is None else found.groupdict()


def read_request(
    caller: Caller,
    route: Route,
    parts: Mapping[str, str],
    query: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Asked:
    """The request as its handler takes it.

    Raises:
        Refusal: what is wrong with it.
    """
    document = _loaded(headers, body) if route.body is not None and body else None
    errors: list[dict[str, str]] = []
    header_key = headers.get("idempotency-key") if route.keyed else None
    if header_key is not None:
        try:
            forms.key(header_key)
        except forms.Misfit as misfit:
            errors.append(fault("header", "/Idempotency-Key", misfit.code, misfit.detail))
    path_form = {
        name: forms.Member(forms.line if name == "user_id" else forms.uuid, required=True) for name in parts
    }
    path, wrong = forms.read(path_form, parts, "path")
    errors += wrong
    queried: Mapping[str, Any] = {}
    if route.query is not None:
        queried, wrong = forms.read(route.query, _query(query), "query")
        errors += wrong
    members: Mapping[str, Any] = {}
    if route.body is not None:
        if document is None:
            raise Refusal("malformed_request", "The request has no body")
        members, wrong = forms.read(route.body, document, "body")
        errors += wrong
    if errors:
        raise forms.refusal_of(errors)
    return Asked(caller, path, queried, members, header_key, headers)


def _query(text: str) -> Mapping[str, Any]:
    given: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name == "metadata":
            given.setdefault(name, []).append(value)
        else:
            given[name] = value
    return given


def _loaded(headers: Mapping[str, str], body: bytes) -> Mapping[str, Any]:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refusal("unsupported_media_type", "The body must be declared as application/json")
    try:
        value: Any = json.loads(
            body.decode(), parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_object
        )
    except UnicodeDecodeError:
        raise Refusal("malformed_request", "The body is not UTF-8") from None
    except json.JSONDecodeError as error:
        detail = f"The body is not JSON: {error.msg}, at character {error.pos}"
        raise Refusal("malformed_request", detail) from None
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value)
    if not isinstance(value, dict):
        raise invalid("body", "", "object_expected", "The body is not a JSON object")
    if not _is_storable(cast("Any", value)):
        detail = "A text contains U+0000 or half of a surrogate pair"
        raise invalid("body", "", "text_not_storable", detail)
    return cast("dict[str, Any]", value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Refusal("malformed_request", "The body has a key twice in one object")
    return members


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(DEEPEST + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                members = cast("dict[str, Any]", item)
                below += [*members, *members.values()]
            elif isinstance(item, list):
                below += cast("list[Any]", item)
        if not below:
            return
        level = below
    raise _too_deep()


def _too_deep() -> Refusal:
    return Refusal("malformed_request", f"The body is nested more than {DEEPEST} deep")


def _is_storable(value: Any) -> bool:
    match value:
        case str():
            return "\0" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
        case dict():
            members = cast("dict[str, Any]", value)
            return all(map(_is_storable, members)) and all(map(_is_storable, members.values()))
        case list():
            return all(map(_is_storable, cast("list[Any]", value)))
        case _:
            return True


def _constant(name: str) -> NoReturn:
    raise Refusal("malformed_request", f"The body is not JSON: {name} is not a number")

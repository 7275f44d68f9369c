"""Conditions: a field of a thing, an operator, and a value. Rules of money are made of them.

A room names its fields in a ``Vocabulary`` and derives its model from ``Condition``, whose validators refuse what the
vocabulary does not have, each with its member. ``Vocabulary.compile`` makes a condition a function of the facts: a
mapping that has every field of the vocabulary.

| Kind | A fact is | Operators |
|---|---|---|
| text | a ``Text``, also of what is missing | is, in, contains, starts_with, ends_with, matches; is_empty |
| word | a string or None | is, in; is_empty |
| tree | a string or None | is, in, under; is_empty |
| set | a frozenset of strings | has, has_any; is_empty |
| number | a Decimal or None | is, gt, gte, lt, lte |
| day | a date or None | is, gt, gte, lt, lte |

All but the orders and is_empty have an opposite (``not_contains``), which also holds for what is missing.
"""
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# re2 has no types.

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from operator import contains, eq, ge, gt, le, lt
from typing import Any, ClassVar, Final, Literal, LiteralString, cast
from unicodedata import normalize

import re2
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from wallet_service.core.money import parse_balance

MOST_VALUES: Final = 100
LONGEST_VALUE: Final = 300
LARGEST_PATTERN: Final = 4000
"""Instructions of a compiled regular expression. A search takes at most this times the length of the text."""
_PATTERN_BYTES: Final = 256 * 1024

Kind = Literal["text", "word", "tree", "set", "number", "day"]
Facts = Mapping[str, Any]
Test = Callable[[Facts], bool]
Below = Callable[[str], Iterable[str]]
"""The ids that are a node of a tree or are under it."""

_ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "is": eq,
    "gt": gt,
    "gte": ge,
    "lt": lt,
    "lte": le,
}
_TEXTS: Final = ("is", "in", "contains", "starts_with", "ends_with", "matches")
_POSITIVE: Final[Mapping[Kind, tuple[str, ...]]] = {
    "text": _TEXTS,
    "word": ("is", "in"),
    "tree": ("is", "in", "under"),
    "set": ("has", "has_any"),
}
OPERATORS: Final[Mapping[Kind, tuple[str, ...]]] = {
    **{kind: (*names, *(f"not_{name}" for name in names), "is_empty") for kind, names in _POSITIVE.items()},
    "number": tuple(_ORDERS),
    "day": tuple(_ORDERS),
}
_COMPARISONS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "is": eq,
    "contains": contains,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
}
_LISTS: Final = ("in", "has_any")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class Text:
    """A text as conditions compare it: NFKC-casefolded, and for regular expressions NFKC in UTF-8."""

    __slots__ = ("encoded", "folded")

    def __init__(self, text: str | None) -> None:
        self.folded = fold(text or "")
        self.encoded = normalize("NFKC", text or "").encode()


def fold(text: str) -> str:
    """The text NFKC-casefolded: what differs in capitals or in compatible characters only becomes the same."""
    return text.casefold() if text.isascii() else normalize("NFKC", normalize("NFKC", text).casefold())


@dataclass(frozen=True, slots=True)
class FieldOf:
    """A field of a vocabulary.

    Attributes:
        kind: which operators it has.
        parse: makes a value canonical; raises ``PydanticCustomError``. None: any line of text.
    """

    kind: Kind
    parse: Callable[[str], str] | None = None


class Vocabulary:
    """The fields that conditions of a kind of rules may name.

    Args:
        fields: by name.
    """

    def __init__(self, fields: Mapping[str, FieldOf]) -> None:
        self.fields = fields

    def check_operator(self, field: str, op: str) -> None:
        """Refuse an operator that the field does not have."""
        if op not in (known := OPERATORS[self.fields[field].kind]):
            raise _fault("operator_unknown", f"{field} is compared by one of: {', '.join(known)}")

    def parse_value(self, field: str, op: str, value: Any) -> Any:
        """The canonical value of a condition, as JSON: a string, a list of strings, or true or false.

        Raises:
            PydanticCustomError: the operator does not take such a value.
        """
        base = op.removeprefix("not_")
        if base == "is_empty":
            if not isinstance(value, bool):
                raise _fault("value_invalid", "is_empty takes true or false")
            return value
        if base not in _LISTS:
            return self._parse_one(field, base, value)
        values = cast("list[Any]", value) if isinstance(value, list) else []
        if not 1 <= len(values) <= MOST_VALUES:
            raise _fault("value_invalid", f"{op} takes a list of 1 to {MOST_VALUES} values")
        return [self._parse_one(field, base, each) for each in values]

    def _parse_one(self, field: str, op: str, value: Any) -> str:
        declared = self.fields[field]
        if declared.kind == "number":
            return parse_balance(value)
        if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_VALUE:
            raise _fault("value_invalid", f"{op} takes a text of 1 to {LONGEST_VALUE} characters")
        if declared.kind == "day":
            return _parse_day(value)
        if op == "matches":
            compile_pattern(value)
        elif declared.kind == "text" and not fold(value):
            raise _fault("value_invalid", "has only characters that are not compared")
        return declared.parse(value) if declared.parse else value

    def compile(self, field: str, op: str, value: Any, below: Below | None = None) -> Test:
        """A condition, whose value is canonical, as a function of the facts. ``below`` is for the operator ``under``."""
        base = op.removeprefix("not_")
        test = _compilers[self.fields[field].kind](field, base, value, below)
        return test if base == op else lambda facts: not test(facts)


def combine(tests: Sequence[Test], match: Literal["all", "any"]) -> Test:
    """A test that holds when all tests hold, or one does."""
    if len(tests) == 1:
        return tests[0]
    decisive = match == "any"

    def combined(facts: Facts) -> bool:
        # A loop costs a third of what any() with a generator does.
        for test in tests:
            if test(facts) is decisive:
                return decisive
        return not decisive

    return combined


class Condition(BaseModel):
    """A condition: a field is compared with a value. A room narrows ``field`` to the names of its vocabulary."""

    model_config = ConfigDict(extra="forbid")
    vocabulary: ClassVar[Vocabulary]

    field: str = Field(description="What is compared.")
    op: str = Field(description="How it is compared.")
    value: Any = Field(description="With what.")

    @field_validator("op")
    @classmethod
    def _check_operator(cls, op: str, info: ValidationInfo) -> str:
        if "field" in info.data:
            cls.vocabulary.check_operator(info.data["field"], op)
        return op

    @field_validator("value")
    @classmethod
    def _parse_value(cls, value: Any, info: ValidationInfo) -> Any:
        if "field" in info.data and "op" in info.data:
            return cls.vocabulary.parse_value(info.data["field"], info.data["op"], value)
        return value


def compile_pattern(pattern: str) -> Callable[[bytes], bool]:
    """A regular expression of RE2 as a search in UTF-8, whatever capitals. Its time is linear in the text.

    Raises:
        PydanticCustomError: RE2 refuses it, or it is too large.
    """
    options = re2.Options()
    options.case_sensitive, options.log_errors, options.never_capture = False, False, True
    options.max_mem = _PATTERN_BYTES
    try:
        compiled: Any = re2.compile(normalize("NFC", pattern), options)
    except re2.error as refusal:  # pyright: ignore[reportUnknownVariableType]  # re2 has no types
        reason = cast("Exception", refusal).args[0]
        shown = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise _fault("pattern_invalid", f"RE2 refuses the regular expression: {shown}") from None
    if compiled.programsize > LARGEST_PATTERN:
        raise _fault(
            "pattern_invalid", f"the regular expression is larger than {LARGEST_PATTERN} instructions"
        )
    search = compiled.search
    return lambda text: search(text) is not None


def _fault(code: LiteralString, reason: str) -> PydanticCustomError:
    return PydanticCustomError(code, "{reason}", {"reason": reason})


def _parse_day(value: str) -> str:
    try:
        if _DAY.fullmatch(value):
            return date.fromisoformat(value).isoformat()
    except ValueError:  # there is no such day
        pass
    raise _fault("value_invalid", "must be a day, such as 2026-01-31")


def _compile_text(field: str, op: str, value: Any, _below: Below | None) -> Test:
    if op == "is_empty":
        return lambda facts: (not facts[field].folded) is value
    if op == "in":
        known = frozenset(map(fold, value))
        return lambda facts: facts[field].folded in known
    if op == "matches":
        search = compile_pattern(value)
        return lambda facts: search(facts[field].encoded)
    compare, folded = _COMPARISONS[op], fold(value)
    return lambda facts: compare(facts[field].folded, folded)


def _compile_word(field: str, op: str, value: Any, below: Below | None) -> Test:
    if op == "is_empty":
        return lambda facts: (facts[field] is None) is value
    if op == "is":
        return lambda facts: facts[field] == value
    if op == "under":
        if below is None:
            raise ValueError("a condition with under is compiled with the tree")
        value = below(value)
    known = frozenset(value)
    return lambda facts: facts[field] in known


def _compile_set(field: str, op: str, value: Any, _below: Below | None) -> Test:
    if op == "is_empty":
        return lambda facts: (not facts[field]) is value
    if op == "has":
        return lambda facts: value in facts[field]
    known = frozenset(value)
    return lambda facts: not known.isdisjoint(facts[field])


def _compile_order(parse: Callable[[str], Any]) -> Callable[[str, str, Any, Below | None], Test]:
    def compile_one(field: str, op: str, value: Any, _below: Below | None) -> Test:
        order, bound = _ORDERS[op], parse(value)
        return lambda facts: facts[field] is not None and order(facts[field], bound)

    return compile_one


_compilers: Final[Mapping[Kind, Callable[[str, str, Any, Below | None], Test]]] = {
    "text": _compile_text,
    "word": _compile_word,
    "tree": _compile_word,
    "set": _compile_set,
    "number": _compile_order(Decimal),
    "day": _compile_order(date.fromisoformat),
}

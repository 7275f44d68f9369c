"""Conditions: each operator of each kind, what is refused and by which member, and how texts are compared."""

from datetime import date
from decimal import Decimal
from typing import Any, ClassVar, Literal
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from wallet_service.core.conditions import (
    OPERATORS,
    Condition,
    FieldOf,
    Text,
    Vocabulary,
    combine,
    compile_pattern,
    fold,
)

KINDS = ("text", "word", "tree", "set", "number", "day")
VOCABULARY = Vocabulary({kind: FieldOf(kind) for kind in KINDS})  # a field of each kind, by its name


class AnyCondition(Condition):
    vocabulary: ClassVar[Vocabulary] = VOCABULARY

    field: Literal["text", "word", "tree", "set", "number", "day"] = Field(description="What is compared.")


def holds(field: str, op: str, value: Any, fact: Any) -> bool:
    condition = AnyCondition(field=field, op=op, value=value)
    test = VOCABULARY.compile(field, op, condition.value, {"top": ["top", "leaf"]}.get)
    return test({field: Text(fact) if field == "text" else fact})


@pytest.mark.parametrize(
    ("field", "op", "value", "yes", "no"),
    [
        ("text", "is", "Straße", "STRASSE", "Strasse 1"),
        ("text", "in", ["Rewe", "Lidl"], "LIDL", "Rewe Lidl"),
        ("text", "contains", "café", "im Café-Haus", "im Cafe-Haus"),
        ("text", "starts_with", "SEPA", "sepa 12", "a sepa"),
        ("text", "ends_with", "GmbH", "bäcker gmbh", "gmbh bäcker"),
        ("text", "matches", r"rewe\s+\d+", "an REWE 42", "rewe"),
        ("word", "is", "a", "a", "b"),
        ("word", "in", ["a", "b"], "b", "c"),
        ("tree", "is", "top", "top", "leaf"),
        ("tree", "in", ["top"], "top", "leaf"),
        ("tree", "under", "top", "leaf", "other"),
        ("set", "has", "a", frozenset("ab"), frozenset("b")),
        ("set", "has_any", ["a", "c"], frozenset("cd"), frozenset("b")),
    ],
)
def test_an_operator_and_its_opposite(field: str, op: str, value: Any, yes: Any, no: Any) -> None:
    missing = {"set": frozenset()}.get(field)
    assert holds(field, op, value, yes)
    assert not holds(field, op, value, no)
    assert not holds(field, op, value, missing)
    assert not holds(field, f"not_{op}", value, yes)
    assert holds(field, f"not_{op}", value, no)
    assert holds(field, f"not_{op}", value, missing)


@pytest.mark.parametrize(
    ("field", "bound", "facts"),
    [
        ("number", "10.00", [Decimal("9.99"), Decimal(10), Decimal("10.01")]),
        ("day", "2026-02-28", [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]),
    ],
)
def test_orders(field: str, bound: str, facts: list[Any]) -> None:
    for op, expected in {
        "is": [False, True, False],
        "gt": [False, False, True],
        "gte": [False, True, True],
        "lt": [True, False, False],
        "lte": [True, True, False],
    }.items():
        assert [holds(field, op, bound, fact) for fact in facts] == expected, op
        assert not holds(field, op, bound, None)


@pytest.mark.parametrize(
    ("field", "full", "bare"),
    [("text", "a", None), ("word", "a", None), ("tree", "a", None), ("set", frozenset("a"), frozenset())],
)
def test_is_empty(field: str, full: Any, bare: Any) -> None:
    assert [holds(field, "is_empty", value, fact) for value in (True, False) for fact in (full, bare)] == [
        False,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("condition", "member", "code"),
    [
        ({"field": "color", "op": "is", "value": "a"}, "field", "literal_error"),
        ({"field": "text", "op": "gt", "value": "a"}, "op", "operator_unknown"),
        ({"field": "number", "op": "contains", "value": "1"}, "op", "operator_unknown"),
        ({"field": "number", "op": "not_is", "value": "1"}, "op", "operator_unknown"),
        ({"field": "word", "op": "under", "value": "a"}, "op", "operator_unknown"),
        ({"field": "text", "op": "is", "value": ""}, "value", "value_invalid"),
        ({"field": "text", "op": "is", "value": "x" * 301}, "value", "value_invalid"),
        ({"field": "text", "op": "is", "value": 5}, "value", "value_invalid"),
        ({"field": "text", "op": "is", "value": ["a"]}, "value", "value_invalid"),
        ({"field": "text", "op": "in", "value": []}, "value", "value_invalid"),
        ({"field": "text", "op": "in", "value": "a"}, "value", "value_invalid"),
        ({"field": "text", "op": "not_in", "value": ["a"] * 101}, "value", "value_invalid"),
        ({"field": "text", "op": "in", "value": ["a", 1]}, "value", "value_invalid"),
        ({"field": "set", "op": "has_any", "value": "a"}, "value", "value_invalid"),
        ({"field": "text", "op": "is_empty", "value": "true"}, "value", "value_invalid"),
        ({"field": "number", "op": "is", "value": "ten"}, "value", "amount_invalid"),
        ({"field": "number", "op": "is", "value": True}, "value", "amount_invalid"),
        ({"field": "day", "op": "is", "value": "2026-02-30"}, "value", "value_invalid"),
        ({"field": "day", "op": "gt", "value": "0000-01-01"}, "value", "value_invalid"),
        ({"field": "day", "op": "gt", "value": "20260201"}, "value", "value_invalid"),
        ({"field": "text", "op": "matches", "value": "("}, "value", "pattern_invalid"),
        ({"field": "text", "op": "not_matches", "value": r"(a)\1"}, "value", "pattern_invalid"),
        ({"field": "text", "op": "matches", "value": "(?=a)"}, "value", "pattern_invalid"),
        ({"field": "text", "op": "matches", "value": r"(\pL{1,100}x){5}"}, "value", "pattern_invalid"),
        ({"field": "text", "op": "matches", "value": "(.{0,500}a){2}"}, "value", "pattern_invalid"),
        ({"field": "text", "op": "is", "value": "a", "not": True}, "not", "extra_forbidden"),
    ],
)
def test_what_is_refused_and_by_which_member(condition: dict[str, Any], member: str, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        AnyCondition(**condition)
    first = refused.value.errors()[0]
    assert (first["loc"], first["type"]) == ((member,), code)


def test_a_number_may_be_an_exact_json_number() -> None:
    assert AnyCondition(field="number", op="gte", value=Decimal("12.50")).value == "12.50"
    assert AnyCondition(field="number", op="gte", value="-3").value == "-3"


def test_a_field_has_a_parser_of_its_own() -> None:
    upper = Vocabulary({"word": FieldOf("word", str.upper)})
    assert upper.parse_value("word", "in", ["eur", "USD"]) == ["EUR", "USD"]


def test_texts_are_compared_in_nfkc_whatever_their_capitals() -> None:
    for one, other in (
        ("STRASSE", "straße"),
        ("ﬁle", "FILE"),  # a ligature
        ("Ａｍａｚｏｎ", "amazon"),  # of full width # noqa: RUF001
        ("é", "e\u0301"),
        ("ΣΑΣ", "σας"),
    ):
        assert fold(one) == fold(other)
        assert holds("text", "is", one, other)


@given(st.text())
def test_folding_is_done_when_it_was_done_once(text: str) -> None:
    assert fold(fold(text)) == fold(text) == fold(normalize("NFKC", text))


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_what_is_in_a_text_is_found(part: str, before: str, after: str) -> None:
    folded = Text(before).folded + Text(part).folded + Text(after).folded
    test = VOCABULARY.compile("text", "contains", part)
    assert test({"text": Text(folded)})


def test_expressions_of_re2_take_linear_time() -> None:
    """``re`` takes longer than this universe is old for it."""
    search = compile_pattern("(x+x+)+y")
    assert not search(b"x" * 100_000)
    assert search(b"x" * 100_000 + b"Y")


def test_expressions_see_letters_of_all_alphabets() -> None:
    assert compile_pattern("BÄCKER")("Bäcker".encode())
    assert compile_pattern("ba\u0308cker")("Bäcker".encode())
    assert compile_pattern(r"^\pL+\s\d{1,4}$")("Ἀθήνα 12".encode())


@pytest.mark.parametrize("match", ["all", "any"])
@given(results=st.lists(st.booleans(), min_size=1, max_size=5))
def test_all_and_any(match: Literal["all", "any"], results: list[bool]) -> None:
    tests = [lambda facts, n=n: facts[str(n)] for n in range(len(results))]
    combined = combine(tests, match)
    assert combined({str(n): result for n, result in enumerate(results)}) is {"all": all, "any": any}[match](
        results
    )


def test_a_condition_with_under_needs_the_tree() -> None:
    with pytest.raises(ValueError, match="tree"):
        VOCABULARY.compile("tree", "under", "top")


def test_every_kind_has_its_operators() -> None:
    assert set(OPERATORS) == set(KINDS)

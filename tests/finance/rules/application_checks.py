"""What the application of rules must do, as checks of a module: the one of the service, or one with a fault."""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MERGED = {"old": "food"}


def resolve(label: str) -> str:
    return MERGED.get(label, label)


def entry(module: ModuleType, *parts: Any, exponent: int = 2, **facts: Any) -> Any:
    return module.Entry(facts={"direction": "debit", **facts}, exponent=exponent, parts=parts)


def part(module: ModuleType, amount: str = "-30.00", category: str = "none", **members: Any) -> Any:
    return module.Part(amount=Decimal(amount), category_id=category, **members)


def rule(
    module: ModuleType,
    name: str,
    test: Any = None,
    *,
    shares: Sequence[Any] = (),
    stop: bool = False,
    **setting: Any,
) -> Any:
    return module.Rule(name, test or (lambda _: True), module.Setting(**setting), shares, stop)


def share(
    module: ModuleType, *, percent: str | None = None, amount: str | None = None, **setting: Any
) -> Any:
    def number(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return module.Share(module.Setting(**setting), number(percent), number(amount))


def category_is(category: str) -> Any:
    return lambda facts: facts["category_id"] == category


def applied(module: ModuleType, rules: Sequence[Any], given_entry: Any, **options: Any) -> Any:
    return module.apply_rules(rules, given_entry, resolve, **options)


def later_rules_overwrite_and_see_what_was_set(module: ModuleType) -> None:
    rules = [
        rule(module, "r1", category_id="food", note="first"),
        rule(module, "r2", category_is("food"), category_id="meals", payee_id="shop"),
        rule(module, "r3", category_is("none"), note="never"),
    ]
    [after] = applied(module, rules, entry(module, part(module)))
    assert after == part(module, category="meals", payee_id="shop", note="first", rule_id="r2")


def every_fact_of_a_part_is_seen(module: ModuleType) -> None:
    seen: list[Any] = []
    given_part = part(module, "-30.50", "old", payee_id="old", tag_ids=("b", "old"), note="NOTE")
    applied(module, [rule(module, "r", lambda facts: bool(seen.append(facts)))], entry(module, given_part))
    facts = seen[0]
    assert facts.pop("note").folded == "note"
    assert facts == {
        "direction": "debit",
        "amount": Decimal("30.50"),
        "category_id": "food",
        "payee_id": "food",
        "tag_ids": frozenset({"b", "food"}),
        "booked_on": given_part.booked_on,
    }


def nothing_that_holds_changes_nothing(module: ModuleType) -> None:
    same = entry(module, part(module, category="old", tag_ids=("old",), rule_id="r0"))
    rules = [
        rule(module, "r1", lambda _: False, category_id="x"),
        rule(
            module,
            "r2",
            category_id="food",
            add_tag_ids=["food"],
            remove_tag_ids=["y"],
            note=None,
            payee_id=None,
        ),
        rule(module, "r3", category_id="other"),
        rule(module, "r4", category_id="old"),
    ]
    assert applied(module, rules[:2], same) is None
    assert applied(module, rules, same) is None


def stop_ends_the_entry_after_its_parts(module: ModuleType) -> None:
    rules = [
        rule(module, "r1", category_is("a"), category_id="x", stop=True),
        rule(module, "r2", category_id="y"),
    ]
    both = entry(module, part(module, category="b"), part(module, category="a"))
    assert [each.category_id for each in applied(module, rules, both)] == ["b", "x"]
    other = entry(module, part(module, category="b"))
    assert [each.category_id for each in applied(module, rules, other)] == ["y"]


def edited_parts_stay_unless_overwritten(module: ModuleType) -> None:
    rules = [rule(module, "r", category_id="x", stop=True), rule(module, "r2", note="n")]
    edited = part(module, edited=True)
    both = entry(module, edited, part(module))
    assert applied(module, rules, entry(module, edited)) is None
    assert applied(module, rules, both) == [edited, part(module, category="x", rule_id="r")]
    assert applied(module, rules, both, overwrite=True) == [part(module, category="x", rule_id="r")] * 2
    unchanged = entry(module, part(module, category="x", edited=True))
    assert applied(module, rules[:1], unchanged, overwrite=True) is None


def an_edited_part_does_not_stop(module: ModuleType) -> None:
    rules = [rule(module, "r", category_is("e"), note="n", stop=True), rule(module, "r2", category_id="x")]
    both = entry(module, part(module, category="e", edited=True), part(module))
    assert [each.category_id for each in applied(module, rules, both)] == ["e", "x"]


def an_edited_part_is_not_split(module: ModuleType) -> None:
    halves = [share(module, percent="50"), share(module, percent="50")]
    edited = entry(module, part(module, edited=True))
    assert applied(module, [rule(module, "r", shares=halves)], edited) is None
    assert (
        applied(module, [rule(module, "r", shares=halves)], edited, overwrite=True)
        == [part(module, "-15.00", rule_id="r")] * 2
    )


def sides_of_pairs_keep_category_and_are_not_split(module: ModuleType) -> None:
    halves = [share(module, percent="50"), share(module, percent="50")]
    rules = [rule(module, "r", category_id="x", note="n", shares=halves)]
    [after] = applied(module, rules, entry(module, part(module, pair_id="p")))
    assert after == part(module, note="n", pair_id="p", rule_id="r")


def tags_are_added_and_removed(module: ModuleType) -> None:
    rules = [rule(module, "r", add_tag_ids=["c", "food"], remove_tag_ids=["a"])]
    [after] = applied(module, rules, entry(module, part(module, tag_ids=("a", "old"))))
    assert after.tag_ids == ("c", "old")  # old was merged into food: the part has that tag
    remove = [rule(module, "r", remove_tag_ids=["food"])]
    [after] = applied(module, remove, entry(module, part(module, tag_ids=("a", "old"))))
    assert after.tag_ids == ("a",)


def a_part_has_at_most_twenty_tags(module: ModuleType) -> None:
    tags = [f"t{n:02}" for n in range(25)]
    rules = [
        rule(module, "r1", add_tag_ids=tags[:15]),
        rule(module, "r2", add_tag_ids=[*tags[10:15], *tags[15:]]),
        rule(module, "r3", add_tag_ids=["x"], remove_tag_ids=["t00"]),
        rule(module, "r4", add_tag_ids=["y"]),
    ]
    [after] = applied(module, rules[:2], entry(module, part(module)))
    assert after.tag_ids == tuple(tags[:20])
    [after] = applied(module, rules, entry(module, part(module)))
    assert after.tag_ids == (*tags[1:20], "x")
    assert applied(module, rules[3:], entry(module, after)) is None


def payees_and_notes_are_taken_away(module: ModuleType) -> None:
    rules = [rule(module, "r", payee_id=None, note=None)]
    [after] = applied(module, rules, entry(module, part(module, payee_id="p", note="n")))
    assert (after.payee_id, after.note) == (None, None)


def amounts(parts: Any) -> list[str]:
    return [str(each.amount) for each in parts]


def splits_are_exact(module: ModuleType) -> None:
    def split(whole: str, exponent: int, *shares: Any) -> Any:
        return module.split_part(part(module, whole), shares, exponent, resolve)

    def by(**members: Any) -> Any:
        return share(module, **members)

    thirds = [by(percent=each) for each in ("33.33", "33.33", "33.34")]
    assert amounts(split("-100.00", 2, *thirds)) == ["-33.33", "-33.33", "-33.34"]
    assert amounts(split("-0.01", 2, *thirds)) == ["-0.01"]
    assert amounts(split("10.00", 2, by(amount="2.50"), by(percent="25"), by())) == ["2.50", "2.50", "5.00"]
    assert amounts(split("-10.01", 2, by(percent="50"), by(percent="50"))) == ["-5.01", "-5.00"]
    assert amounts(split("-10.01", 2, by(percent="50"), by())) == ["-5.01", "-5.00"]
    assert amounts(split("100", 0, by(percent="33.3"), by(percent="33.3"), by())) == ["33", "33", "34"]
    assert amounts(split("-5.00", 2, by(amount="5.00"), by())) == ["-5.00"]
    assert split("-5.00", 2, by(amount="5.01"), by()) is None
    assert split("-5.00", 2, by(amount="4.00"), by(percent="21"), by()) is None
    assert split("-5", 0, by(amount="2.50"), by()) is None
    assert amounts(split("-5", 0, by(amount="2.00"), by())) == ["-2", "-3"]
    large = "12345678901234567890.123456789012345678"
    assert sum(Fraction(each.amount) for each in split(large, 18, *thirds)) == Fraction(large)
    [first, _] = split(large, 18, by(amount="0.000000000000000001"), by())
    assert first.amount == Decimal("0.000000000000000001")


def a_split_sets_what_its_shares_say(module: ModuleType) -> None:
    shares = [
        share(module, percent="20", category_id="a", add_tag_ids=["t"], note="x"),
        share(module, category_id="b"),
    ]
    rules = [
        rule(module, "r1", category_id="c", payee_id="p", shares=shares),
        rule(module, "r2", category_is("b"), note="y"),
    ]
    after = applied(module, rules, entry(module, part(module)))
    assert after == [
        part(module, "-6.00", "a", payee_id="p", tag_ids=("t",), note="x", rule_id="r1"),
        part(module, "-24.00", "b", payee_id="p", note="y", rule_id="r2"),
    ]


def a_split_that_can_not_be_sets_the_rest(module: ModuleType) -> None:
    rules = [rule(module, "r", category_id="c", shares=[share(module, amount="31.00"), share(module)])]
    assert applied(module, rules, entry(module, part(module))) == [part(module, category="c", rule_id="r")]


def what_is_split_stays_split(module: ModuleType) -> None:
    rules = [rule(module, "r", shares=[share(module, percent="50", category_id="a"), share(module)])]
    once = applied(module, rules, entry(module, part(module)))
    assert amounts(once) == ["-15.00", "-15.00"]
    assert applied(module, rules, entry(module, *once)) is None


def pro_rata_is_by_the_largest_remainder(module: ModuleType) -> None:
    for total, weights, exponent, expected in (
        ("28.12", ["60.00", "24.37"], 2, ["20.00", "8.12"]),
        ("10.00", ["1", "1", "1"], 2, ["3.34", "3.33", "3.33"]),
        ("0.01", ["33.33", "33.33", "33.34"], 2, ["0.00", "0.00", "0.01"]),
        ("100", ["333", "333", "334"], 0, ["33", "33", "34"]),
        ("0.00", ["1", "2"], 2, ["0.00", "0.00"]),
    ):
        found = module.pro_rata(Decimal(total), list(map(Decimal, weights)), exponent)
        assert list(map(str, found)) == expected, total
    assert module.pro_rata(Decimal(5), [Decimal(0)], 2) == [Decimal(0)]


_WEIGHTS = st.lists(st.integers(0, 10**38), min_size=1, max_size=8).filter(any)


def pro_rata_adds_up(module: ModuleType) -> None:
    @settings(derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(total=st.integers(0, 10**38 - 1), exponent=st.integers(0, 18), numbers=_WEIGHTS)
    def adds_up(total: int, exponent: int, numbers: list[int]) -> None:
        whole = Decimal(total).scaleb(-exponent, module.EXACT)
        weights = [Decimal(each).scaleb(-18, module.EXACT) for each in numbers]
        found = module.pro_rata(whole, weights, exponent)
        units = [int(each.scaleb(exponent, module.EXACT)) for each in found]
        every = sum(int(weight.scaleb(18, module.EXACT)) for weight in weights)
        assert sum(units) == total
        for unit, weight in zip(units, weights, strict=True):
            exact = total * int(weight.scaleb(18, module.EXACT))
            assert exact - every < unit * every < exact + every

    adds_up()


def rules_keep_the_sum(module: ModuleType) -> None:
    percents = st.integers(1, 9999)

    @settings(derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(cents=st.integers(-(10**30), 10**30).filter(bool), percent=percents, fixed=st.integers(1, 10**6))
    def keeps(cents: int, percent: int, fixed: int) -> None:
        whole = Decimal(cents).scaleb(-2, module.EXACT)
        shares = [
            share(module, percent=str(Decimal(percent) / 100)),
            share(module, amount=str(Decimal(fixed) / 100)),
            share(module),
        ]
        given_entry = entry(module, part(module, str(whole)))
        after = applied(module, [rule(module, "r", shares=shares)], given_entry)
        if after is not None:
            assert sum(int(each.amount.scaleb(2, module.EXACT)) for each in after) == cents
            assert all(each.amount and (each.amount < 0) == (cents < 0) for each in after)
            assert applied(module, [rule(module, "r", shares=shares)], entry(module, *after)) is None

    keeps()


CHECKS = (
    later_rules_overwrite_and_see_what_was_set,
    every_fact_of_a_part_is_seen,
    nothing_that_holds_changes_nothing,
    stop_ends_the_entry_after_its_parts,
    edited_parts_stay_unless_overwritten,
    an_edited_part_does_not_stop,
    an_edited_part_is_not_split,
    sides_of_pairs_keep_category_and_are_not_split,
    tags_are_added_and_removed,
    a_part_has_at_most_twenty_tags,
    payees_and_notes_are_taken_away,
    splits_are_exact,
    a_split_sets_what_its_shares_say,
    a_split_that_can_not_be_sets_the_rest,
    what_is_split_stays_split,
    pro_rata_is_by_the_largest_remainder,
    pro_rata_adds_up,
    rules_keep_the_sum,
)

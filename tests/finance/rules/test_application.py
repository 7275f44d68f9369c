"""The application of rules to parts does what it must; each fault that is put into it is found by its check."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from finance.rules import application_checks as checks
from finance.rules.application_checks import CHECKS

from wallet_service.finance.rules import application

Check = Callable[[ModuleType], None]

MUTANTS: dict[str, tuple[Check, str, str]] = {
    "edited-parts-change": (
        checks.edited_parts_stay_unless_overwritten,
        "if overwrite or not part.edited]",
        "]",
    ),
    "overwrite-is-ignored": (
        checks.edited_parts_stay_unless_overwritten,
        "if overwrite or not part.edited]",
        "if not part.edited]",
    ),
    "overwritten-parts-stay-edited": (
        checks.edited_parts_stay_unless_overwritten,
        "edited=False)",
        "edited=part.edited)",
    ),
    "edited-parts-are-split": (
        checks.an_edited_part_is_not_split,
        "if not held:\n            continue",
        "pass",
    ),
    "conditions-see-the-first-state": (
        checks.later_rules_overwrite_and_see_what_was_set,
        "facts[n] = facts_of(entry, parts[n], resolve)",
        "pass",
    ),
    "a-split-is-not-seen": (
        checks.a_split_sets_what_its_shares_say,
        "facts = [facts_of(entry, part, resolve) for part in parts]\n                open_places",
        "facts = facts * len(parts)\n                open_places",
    ),
    "only-the-first-part-of-a-split-is-open": (
        checks.a_split_sets_what_its_shares_say,
        "open_places = list(range(len(parts)))",
        "pass",
    ),
    "stop-does-not-stop": (checks.stop_ends_the_entry_after_its_parts, "if rule.stop:", "if False:"),
    "stop-ends-at-once": (
        checks.stop_ends_the_entry_after_its_parts,
        "held = [n for n in open_places if rule.test(facts[n])]",
        "held = [n for n in open_places if rule.test(facts[n]) or rule.stop]",
    ),
    "a-rule-that-did-nothing-is-a-change": (
        checks.nothing_that_holds_changes_nothing,
        "replace(old, rule_id=new.rule_id)",
        "old",
    ),
    "merged-labels-are-replaced": (
        checks.nothing_that_holds_changes_nothing,
        "resolve(old) == resolve(new)",
        "old == new",
    ),
    "merged-tags-are-doubled": (
        checks.tags_are_added_and_removed,
        "kept = {resolve(each): each",
        "kept = {each: each",
    ),
    "twenty-one-tags": (checks.a_part_has_at_most_twenty_tags, "< MOST_TAGS", "<= MOST_TAGS"),
    "merged-tags-are-not-removed": (
        checks.tags_are_added_and_removed,
        "if resolve(each) not in removed}",
        "if each not in removed}",
    ),
    "conditions-see-merged-labels": (
        checks.every_fact_of_a_part_is_seen,
        '"category_id": resolve(part.category_id)',
        '"category_id": part.category_id',
    ),
    "conditions-see-merged-tags": (
        checks.every_fact_of_a_part_is_seen,
        "frozenset(map(resolve, part.tag_ids))",
        "frozenset(part.tag_ids)",
    ),
    "amounts-have-a-sign": (
        checks.every_fact_of_a_part_is_seen,
        '"amount": part.amount.copy_abs()',
        '"amount": part.amount',
    ),
    "sides-of-pairs-change-category": (
        checks.sides_of_pairs_keep_category_and_are_not_split,
        "keeps_category = part.pair_id is not None",
        "keeps_category = False",
    ),
    "sides-of-pairs-are-split": (
        checks.sides_of_pairs_keep_category_and_are_not_split,
        " and parts[0].pair_id is None:",
        ":",
    ),
    "what-is-split-is-split-again": (
        checks.what_is_split_stays_split,
        "rule.shares and len(parts) == 1 and",
        "rule.shares and",
    ),
    "splits-have-no-sign": (checks.splits_are_exact, ".copy_sign(part.amount)", ""),
    "parts-of-no-amount": (checks.splits_are_exact, "\n        if amount\n", "\n"),
    "more-than-the-whole": (checks.splits_are_exact, "if rest < 0:", "if left < 0:"),
    "amounts-of-other-currencies": (
        checks.splits_are_exact,
        "if amounts != given:",
        "if False:",
    ),
    "percents-of-what-is-left": (checks.splits_are_exact, "[whole * (share", "[left * (share"),
    "amounts-of-28-digits": (checks.splits_are_exact, "Context(prec=120)", "Context(prec=28)"),
    "a-split-that-can-not-be-sets-nothing": (
        checks.a_split_that_can_not_be_sets_the_rest,
        "or [whole]",
        "or parts",
    ),
    "remainders-by-place": (
        checks.pro_rata_is_by_the_largest_remainder,
        "key=lambda place: floors[place] - exact[place]",
        "key=lambda place: place",
    ),
    "the-smallest-remainder": (
        checks.pro_rata_is_by_the_largest_remainder,
        "floors[place] - exact[place]",
        "exact[place] - floors[place]",
    ),
    "what-is-left-over-is-lost": (checks.pro_rata_adds_up, "floors[place] += 1", "pass"),
    "units-are-rounded-up": (checks.pro_rata_adds_up, "floors = [floor(each)", "floors = [-floor(-each)"),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_application(check: Check) -> None:
    check(application)


@pytest.fixture
def mutant(request: pytest.FixtureRequest) -> Iterator[tuple[Check, ModuleType]]:
    check, old, new = MUTANTS[request.param]
    source = Path(application.__file__).read_text()
    assert source.count(old) >= 1, old
    module = ModuleType(f"mutant_{request.param}")
    sys.modules[module.__name__] = module  # dataclasses look it up
    exec(compile(source.replace(old, new), request.param, "exec"), module.__dict__)  # noqa: S102  # our own source
    yield check, module
    del sys.modules[module.__name__]


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", MUTANTS, indirect=True)
def test_a_fault_is_found(mutant: tuple[Check, ModuleType]) -> None:
    check, module = mutant
    with pytest.raises((AssertionError, LookupError, TypeError, ValueError, BaseExceptionGroup)):
        check(module)

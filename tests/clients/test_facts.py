"""The facts of each problem are the same in the service and in the types of the TypeScript client."""

import re
from pathlib import Path

from support.facts import common_facts_of_sources, facts_of_sources
from support.problems import ERRORS

SOURCE = Path(__file__).parents[2] / "clients" / "typescript" / "src" / "errors.ts"


def interface(name: str) -> str:
    """The body of an interface, without comments."""
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", SOURCE.read_text(), flags=re.DOTALL)
    (body,) = re.findall(rf"^export interface {name} {{\n(.*?)^}}", text, re.DOTALL | re.MULTILINE)
    return body


def typed() -> dict[str, dict[str, bool]]:
    """By code the facts of the client's types, and whether each may be missing."""
    codes = re.findall(r"^  (\w+): \{(.*?)\};$", interface("Facts"), re.DOTALL | re.MULTILINE)
    return {
        code: {
            name: optional == "?" for name, optional in re.findall(r"(?:^|[{;\n]) *(\w+)(\??): ", " " + body)
        }
        for code, body in codes
    }


def test_the_types_have_the_facts_that_the_service_gives() -> None:
    given = {code: facts for code, facts in facts_of_sources().items() if facts}
    assert {code: set(facts) for code, facts in typed().items()} == given
    assert given["forbidden"] >= {"scope", "max_amount", "allowed", "user_id", "organization_id"}
    assert given["wallet_not_found"] == {"wallet_id", "user_id", "currency"}


def test_the_types_have_the_facts_that_are_added_to_any_problem() -> None:
    assert (
        set(re.findall(r"^  (\w+)\?: ", interface("CommonFacts"), re.MULTILINE)) == common_facts_of_sources()
    )


def test_examples_have_only_facts_of_their_problem() -> None:
    given = facts_of_sources()
    for code, error in ERRORS.items():
        assert error.example_facts.keys() <= given.get(code, set()), code
        missing = {name for name, optional in typed().get(code, {}).items() if not optional}
        if error.example_facts:
            assert error.example_facts.keys() >= missing, code

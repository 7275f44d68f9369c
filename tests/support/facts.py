"""The facts of each problem, as the code and the SQL functions give them: by reading the sources."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from support.problems import ERRORS

SOURCES = Path(__file__).parents[2] / "wallet_service"

NO_FACTS = {"is_temporary"}
"""Arguments that a problem takes in another way."""

_CHANGED = {"similar": "closest"}
"""Facts of which the problem makes another one."""

_REFUSAL = re.compile(r"(?:refuse_call|build_refusal)\(")
_REFUSED_LATER = re.compile(r"\.refusal := '(\w+)';\s*\w+\.facts := (.*?);", re.DOTALL)
_BUILT = "jsonb_build_object("


def facts_of_sources() -> Mapping[str, set[str]]:
    """Names of facts by the code of the problem."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(SOURCES.rglob("*.py")):
        for code, names in _of_python(path.read_text()):
            found[code] |= names
    for path in sorted(SOURCES.rglob("*.sql")):
        for code, names in _of_sql(re.sub(r"--.*", "", path.read_text())):
            found[code] |= names
    return {code: {_CHANGED.get(name, name) for name in names} for code, names in found.items()}


def common_facts_of_sources() -> set[str]:
    """Names of facts that are added to any problem."""
    trees = [ast.parse(path.read_text()) for path in sorted(SOURCES.rglob("*.py"))]
    added = [
        node.value
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Attribute)
        and node.targets[0].attr == "facts"
    ]
    keys = [key for value in added if isinstance(value, ast.Dict) for key in value.keys]
    return {str(key.value) for key in keys if isinstance(key, ast.Constant)}


def _of_python(text: str) -> Iterator[tuple[str, set[str]]]:
    codes = {error.__name__: code for code, error in ERRORS.items()}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in codes:
            names = {each.arg for each in node.keywords if each.arg is not None}
            yield codes[node.func.id], names - NO_FACTS


def _of_sql(text: str) -> Iterator[tuple[str, set[str]]]:
    for match in _REFUSAL.finditer(text):
        code, *facts = _arguments(text, match.end())
        if (literal := re.fullmatch(r"'(\w+)'", code)) is None:
            continue  # a definition, or a refusal that another function built
        names: set[str] = set()
        for argument in facts:
            names |= _names(_resolved(argument, text[: match.start()]))
        yield literal[1], names
    for match in _REFUSED_LATER.finditer(text):
        yield match[1], _names(_resolved(match[2], text[: match.start()]))


def _resolved(argument: str, before: str) -> str:
    """The argument, and where it begins with a variable what was last assigned to it."""
    if variable := re.match(r"v_\w+", argument):
        assigned = list(re.finditer(rf"\b{variable[0]}(?: jsonb)? := (.*?);", before, re.DOTALL))
        assert assigned, argument
        return argument + assigned[-1][1]
    return argument


def _names(expression: str) -> set[str]:
    names = {"errors"} if re.search(r"build_fault|find_\w+_fault|\"errors\"", expression) else set[str]()
    for match in re.finditer(re.escape(_BUILT), expression):
        for name in _arguments(expression, match.end())[::2]:
            literal = re.fullmatch(r"'(\w+)'", name)
            assert literal is not None, name
            names.add(literal[1])
    assert names or expression in ("'{}'", "") or "facts" in expression, expression
    return names


def _arguments(text: str, start: int) -> list[str]:
    """The arguments of a call, from behind its opening parenthesis."""
    arguments, depth, is_text, begin = list[str](), 0, False, start
    for place in range(start, len(text)):
        character = text[place]
        if character == "'":
            is_text = not is_text
        elif is_text:
            continue
        elif character in "([":
            depth += 1
        elif character == "," and depth == 0:
            arguments.append(text[begin:place].strip())
            begin = place + 1
        elif character in ")]":
            depth -= 1
            if depth < 0:
                return [*arguments, text[begin:place].strip()]
    raise AssertionError("the call does not end")

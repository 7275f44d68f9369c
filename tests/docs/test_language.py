"""Pages, comments and messages keep to plain words; docs/glossary.md has the terms."""

import re
from pathlib import Path

import pytest
from support.language import ROOT, findings

CHECKED = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Dockerfile",
    "README.md",
    "bench",
    "clients/python/README.md",
    "clients/python/src",
    "clients/typescript/README.md",
    "clients/typescript/src",
    "contract",
    "deploy",
    "docker-compose.yml",
    "docs",
    "monitoring",
    "postman",
    "scripts",
    "tests/conftest.py",
    "wallet_service",
)
"""What is kept clean. ``python tests/support/language.py PATH`` lists what is to be done before a path can be added."""

NOT_YET = ("clients/python/README.md",)
"""Files of checked folders that are not clean. One that has become clean is taken out."""


@pytest.mark.parametrize("root", CHECKED)
def test_the_words_are_plain(root: str) -> None:
    found = [each for each in findings(ROOT / root) if str(each.path) not in NOT_YET]
    assert not found, "\n" + "\n".join(map(str, found))


def test_what_is_not_clean_yet_is_not() -> None:
    clean = [path for path in NOT_YET if not findings(ROOT / path)]
    assert not clean, f"take out of NOT_YET: {clean}"


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("page.md", "Fine.\n\nNobody waits `for somebody`.\n", ["3: 'Nobody'"]),
        ("page.md", "```sh\n# whoever\n```\n[x](docs/anew.md) anew\n", ["4: 'anew'"]),
        ("page.md", "The service is\naway for long, and a try fails.\n", ["1: 'is away'", "2: 'a try'"]),
        ("page.md", "It carries away a retry of the tellers.\n", []),
        ("glossary.md", "| attempt | One sending. | a try |\n", []),
        ("glossary.md", "| attempt | Not a try. | |\n", ["1: 'a try'"]),
        ("code.py", '"""First.\n\nTells somebody.\n"""\n', ["3: 'somebody'", "3: 'Tells'"]),
        ("code.py", "# Is\n# away.\nnobody = 1\n", ["1: 'Is # away'"]),
        ("code.py", 'x = f"told {1} by nobody"\n', ["1: 'nobody'", "1: 'told'"]),
        ("code.py", "def find_neighbour() -> None: ...\n", ["1: 'find_neighbour'"]),
        ("code.sql", "-- One that\n-- somebody else holds.\nselect 1;\n", ["2: 'somebody'"]),
        ("script", "#!/usr/bin/env bash\n# whoever\n", ["2: 'whoever'"]),
        ("data.json", '"nobody"', []),
    ],
)
def test_the_words_are_found_where_they_stand(
    tmp_path: Path, name: str, text: str, expected: list[str]
) -> None:
    (tmp_path / name).write_text(text)
    found = [re.match(r".*?:(\d+: '[^']*')", str(each)) for each in findings(tmp_path)]
    assert [each[1] for each in found if each] == expected
    assert len(found) == len(expected)


def test_a_finding_says_where_it_is_and_what_to_write(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Sent anew.\n")
    assert list(map(str, findings(page))) == [f"{page}:1: 'anew': again"]


def test_a_path_that_is_not_there_is_no_clean_one() -> None:
    with pytest.raises(FileNotFoundError):
        findings(ROOT / "no-such-folder")

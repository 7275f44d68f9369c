"""Links of the pages lead somewhere, and the glossary gives each term one meaning."""

import re
from pathlib import Path

import pytest
from support.language import ROOT

PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "clients").glob("*/README.md")),
    ROOT / "postman" / "README.md",
]

_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TERM = re.compile(r"^\| (?P<term>[^|]+) \| (?P<meaning>[^|]+\.(?: \([^|]+\))?) \| (?P<avoid>[^|]*)\|$")


def without_code(page: Path) -> str:
    return re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """What its headings are linked by: small letters and hyphens; punctuation is dropped."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _LINK.findall(without_code(page)):
        address, _, anchor = link.partition("#")
        if address.startswith(("http://", "https://")):
            continue
        target = (page.parent / address).resolve() if address else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_the_readme_lists_every_page_once() -> None:
    further = (ROOT / "README.md").read_text().partition("## Further reading\n")[2]
    listed = [link for link in _LINK.findall(further) if link.startswith("docs/") and link.count("/") == 1]
    assert sorted(listed) == sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md"))


def test_the_glossary_has_one_meaning_for_each_term() -> None:
    lines = (ROOT / "docs" / "glossary.md").read_text().splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| Term |")]
    terms = [_TERM.match(row) for row in rows]
    assert [row for row, term in zip(rows, terms, strict=True) if term is None] == []
    names = [name for term in terms if term for name in term["term"].lower().split(", ")]
    assert len(names) > 100
    assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)

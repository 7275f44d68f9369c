"""Decision records have one form, and the index has each of them."""

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "docs" / "decisions"
INDEX = FOLDER / "README.md"
RECORDS = sorted(path for path in FOLDER.glob("*.md") if path != INDEX)

SECTIONS = ["Context", "Decision", "Consequences"]
STATUSES = {"proposed", "accepted", "superseded"}
_HEAD = re.compile(
    r"# (?P<number>\d+)\. (?P<title>[^\n]+)\n"
    r"\n"
    r"> (?P<line>[^\n]+\.)\n"
    r"\n"
    r"- Status: (?P<status>\w+)(?: by (?P<successor>\S+\.md))?(?:\. [^\n]+)?\n"
    r"- Date: (?P<date>\d{4}-\d{2}-\d{2})\n"
    r"\n"
    r"## Context\n"
)
_ROW = re.compile(
    r"^\| (?P<number>\d+) \| \[(?P<title>[^|]+)\]\((?P<file>[^|)]+)\) \| (?P<status>\w+) \| (?P<date>[\d-]+)"
    r" \| (?P<line>[^|]+) \|$",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Record:
    """The head of a record, which the index repeats."""

    number: str
    title: str
    file: str
    status: str
    date: str
    line: str


def head(path: Path) -> re.Match[str]:
    found = _HEAD.match(path.read_text())
    assert found is not None, f"{path.name} does not begin with title, quoted line, status, date, context"
    return found


def record(path: Path) -> Record:
    found = head(path)
    return Record(found["number"], found["title"], path.name, found["status"], found["date"], found["line"])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.name)
def test_a_record_has_the_form(path: Path) -> None:
    found = head(path)
    assert path.name.startswith(f"{int(found['number']):04d}-")
    assert found["status"] in STATUSES
    assert (found["status"] == "superseded") == (found["successor"] is not None)
    assert found["successor"] is None or (FOLDER / found["successor"]).is_file()
    assert date.fromisoformat(found["date"])
    parts = re.split(r"^## (.+)\n", path.read_text(), flags=re.MULTILINE)
    assert parts[1::2] == SECTIONS
    assert all(text.strip() for text in parts[2::2]), "a section is empty"


def test_records_are_numbered_without_a_gap() -> None:
    assert [int(path.name[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_index_has_every_record_and_no_other() -> None:
    rows = [Record(**row.groupdict()) for row in _ROW.finditer(INDEX.read_text())]
    assert rows == [record(path) for path in RECORDS]
    assert len(rows) == INDEX.read_text().count("](0")

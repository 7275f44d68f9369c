"""Finds words that a reader from another field or with another first language stumbles over.

``python tests/support/language.py wallet_service`` lists them; ``tests/docs/test_language.py`` keeps them out.
"""

import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

WORDS: dict[str, str] = {
    r"(some|any|every)(body|one)": "name the thing: the caller, another session, all callers",
    r"nobody|no one": "name the thing: no caller, no instance",
    r"who(m)?ever|whom": "name the thing: the caller that, the session that",
    r"anew": "again",
    r"neighbou?rs?|neighbou?ring": "upstream service; in a batch: the other operations",
    r"(is|are|was|were|be|been|being|go|goes|going|gone|went|while|stays?|counts? as) away": "unavailable",
    r"told|tells?|telling|foretold": "report, log, show, configure",
    r"(a|an|one|each|every|first|second|next|last|late|earlier|another|no|open|lost) (try|tries)": "attempt",
    r"what (it|they) says?": "the text, the message, the output",
    r"made a mistake": "fault, internal error",
    r"held wallets?": "locked wallet (a hold is an amount that is reserved)",
    r"in vain": "without success",
    r"sees? to it": "ensures",
    r"for want of": "because there is no",
    r"thrice": "three times",
    r"dearer": "more expensive",
    r"of late": "recently",
    r"beneath": "below, under",
    r"whence|hither|thither|whither|henceforth|therein|thereof|hereby|whereby": "say it with usual words",
}
"""A pattern of whole words, and what to write in their place."""

NAMES = {"neighbour": "upstream", "neighbor": "upstream"}
"""Parts of identifiers, and what to call the thing."""

_SPACE = r"(?: |\s*\n[\s#*>-]*)"
"""Between two words; a line may end there, and the next begin with the mark of a comment."""
_WORDS = [
    (re.compile(rf"\b(?:{pattern.replace(' ', _SPACE)})\b", re.IGNORECASE), advice)
    for pattern, advice in WORDS.items()
]
_NAMES = [(re.compile(name, re.IGNORECASE), advice) for name, advice in NAMES.items()]

_FENCE = re.compile(r"^\s*(```|~~~)")
_CODE = re.compile(r"`[^`]*`|\]\([^)]*\)|<!--.*?-->|<[^ >]+>")
_AVOIDED = re.compile(r"\|[^|]*\|$")

_GENERATED = {"schema.d.ts", "package-lock.json"}
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "dist"}
_WHOLE = {".sql", ".sh", ".ts", ".yml", ".yaml", ".toml"}
_STRINGS = {
    getattr(tokenize, name)
    for name in ("STRING", "FSTRING_MIDDLE", "TSTRING_MIDDLE")
    if hasattr(tokenize, name)
}


@dataclass(frozen=True)
class Finding:
    """A word, where it stands, and what to write."""

    path: Path
    line: int
    word: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word!r}: {self.advice}"


def findings(path: Path) -> list[Finding]:
    """Those of a file, or of all files of a folder that hold prose or code, in the order of their lines."""
    return [found for file in _files(path) for found in sorted(_of_file(file), key=lambda each: each.line)]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise FileNotFoundError(path)
    return [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and file.name not in _GENERATED
        and not _SKIPPED_FOLDERS & set(file.relative_to(path).parts)
        and (file.suffix in {".md", ".py", *_WHOLE} or _is_script(file))
    ]


def _is_script(file: Path) -> bool:
    return not file.suffix and file.read_bytes()[:2] == b"#!"


def _of_file(file: Path) -> Iterator[Finding]:
    text = file.read_text()
    shown = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file
    if file.suffix == ".py" or (_is_script(file) and "python" in text.split("\n", 1)[0]):
        parts = python_prose(text)
        for number, name in python_names(text):
            for pattern, advice in _NAMES:
                if pattern.search(name):
                    yield Finding(shown, number, name, advice)
    elif file.suffix == ".md":
        parts = markdown_prose(text, glossary=file.name == "glossary.md")
    else:
        parts = enumerate(text.split("\n"), start=1)
    yield from _in(shown, parts)


def _in(shown: Path, parts: Iterable[tuple[int, str]]) -> Iterator[Finding]:
    lines: list[str] = []
    numbers: list[int] = []
    for number, line in parts:
        if numbers and number > numbers[-1] + 1:
            lines.append("\0")  # no phrase goes on over a gap
            numbers.append(number - 1)
        lines.append(line)
        numbers.append(number)
    text = "\n".join(lines)
    for pattern, advice in _WORDS:
        for found in pattern.finditer(text):
            number = numbers[text.count("\n", 0, found.start())]
            yield Finding(shown, number, " ".join(found[0].split()), advice)


def markdown_prose(text: str, *, glossary: bool = False) -> Iterator[tuple[int, str]]:
    """Its numbered lines without code and addresses; those of the glossary without the words that it lists to avoid."""
    fence: str | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        found = _FENCE.match(line)
        if found and fence in {None, found[1]}:
            fence = None if fence else found[1]
        elif fence is None:
            yield number, _CODE.sub(" ", _AVOIDED.sub("|", line) if glossary else line)


def python_prose(text: str) -> Iterator[tuple[int, str]]:
    """The numbered lines of its comments, docstrings and other strings."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or token.type in _STRINGS:
            yield from enumerate(token.string.split("\n"), start=token.start[0])


def python_names(text: str) -> Iterator[tuple[int, str]]:
    """Its identifiers, each with its line."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME:
            yield token.start[0], token.string


def main() -> int:
    """List the findings of the paths that are given; the exit status says whether there are any."""
    found = [each for path in sys.argv[1:] for each in findings(Path(path).absolute())]
    sys.stdout.writelines(f"{each}\n" for each in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

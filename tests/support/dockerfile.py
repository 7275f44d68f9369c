"""The Dockerfile, by its instructions."""

import re
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).parent.parent.parent / "Dockerfile"


@dataclass(frozen=True)
class Instruction:
    """One instruction with its continued lines."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    """All instructions in order, without comments."""
    text = re.sub(r"^\s*#.*\n", "", FILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [Instruction(*line.split(None, 1)) for line in lines if line.strip()]


def stage(name: str) -> list[Instruction]:
    """The instructions of one stage, without its FROM."""
    found = instructions()
    begin = next(
        place for place, step in enumerate(found) if step.name == "FROM" and step.rest.endswith(f" AS {name}")
    )
    after = [place for place, step in enumerate(found) if step.name == "FROM" and place > begin]
    return found[begin + 1 : after[0] if after else None]

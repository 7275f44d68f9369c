"""What the README and the examples show is run, as programs of their own, twice on one database."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from conftest import FreshApi
from support.api import ADMIN_KEY
from support.sdk import listening

FOLDER = Path(__file__).parents[3] / "clients" / "python"
BLOCK = re.compile(r"```python\n(.*?)```(?:\n\nprints\n\n```\n(.*?)```)?", re.DOTALL)
PRINTED = {
    "charge_once.py": "o-1: paid, 70.000000 left\n"
    "o-2: refused, 20.000000 missing\n"
    "o-1: paid before, 70.000000 left\n"
    "o-3: paid, 0.000000 left\n",
    "gift.py": "Ada: refund   +15 = 75.000000\n"
    "Ada: transfer -40 = 60.000000\n"
    "Ada: deposit  +100 = 100.000000\n"
    "Ben: refund   -15 = 25.000000\n"
    "Ben: transfer +40 = 40.000000\n",
    "month.py": "external:deposits    1 50.000000\n"
    "revenue:usage:large  1 2.750000\n"
    "revenue:usage:small  2 0.750000\n"
    "left                 46.500000 CREDIT\n",
}
"""By name, what each example prints."""

on_postgres = pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")


@pytest.fixture
async def url(fresh_api: FreshApi) -> AsyncIterator[str]:
    async with listening((await fresh_api()).app) as address:
        yield address


async def printed(url: str, *arguments: str) -> str:
    """What Python prints; it ends well and warns of nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", *arguments),
        env={"WALLET_URL": url, "WALLET_API_KEY": ADMIN_KEY, "PYTHONPATH": str(FOLDER / "src")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await process.communicate()
    assert (process.returncode, errors.decode()) == (0, ""), arguments
    return said.decode()


@pytest.fixture
def page() -> str:
    return (FOLDER / "README.md").read_text()


def test_what_the_client_reads_of_the_environment_is_set_before_the_first_block(page: str) -> None:
    before, first, _ = page.partition("```python\n")
    assert first
    (export,) = re.findall(r"^export (.*)$", before, re.MULTILINE)
    assert re.findall(r"(\w+)=", export) == ["WALLET_URL", "WALLET_API_KEY"]
    assert "os.environ" not in page


@on_postgres
async def test_every_block_of_the_readme_runs_and_runs_again(url: str, page: str) -> None:
    blocks = BLOCK.findall(page)
    assert len(blocks) >= 6

    for _ in range(2):
        said = await asyncio.gather(*(printed(url, "-c", code) for code, _ in blocks))

        shown = [(output, expected) for output, (_, expected) in zip(said, blocks, strict=True) if expected]
        assert len(shown) >= 2
        assert [output for output, _ in shown] == [expected for _, expected in shown]
        assert "posted chat-1\nrefused insufficient_funds\nchat-1 0.250000\n" in said
        assert "True\n" in said


@on_postgres
async def test_the_examples_print_what_they_should_each_time(url: str) -> None:
    examples = sorted((FOLDER / "examples").glob("*.py"))

    for _ in range(2):
        said = await asyncio.gather(*(printed(url, str(example)) for example in examples))

        assert dict(zip([example.name for example in examples], said, strict=True)) == PRINTED

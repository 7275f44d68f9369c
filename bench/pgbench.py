"""The floor by PostgreSQL's own client, which costs less CPU than a client in Python."""

import asyncio
import os
import re
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from bench.ids import wallet_id_sql
from bench.job import RowFailed
from bench.rows_sql import FLOOR
from bench.server import binaries
from bench.service import stop

CLIENTS = 16
_TPS = re.compile(r"^tps = ([0-9.]+) \(without initial", re.MULTILINE)


def available() -> Path | None:
    """The program, if the embedded server has it."""
    folder = binaries()
    program = None if folder is None else folder / "pgbench"
    return program if program is not None and program.exists() else None


def script(wallets: int, *, hot: bool) -> str:
    """The floor's statement on a wallet that pgbench draws."""
    statement = FLOOR.strip().replace("$1", wallet_id_sql(":wallet")).replace("$2", "1::numeric")
    last = 0 if hot else wallets - 1
    return f"\\set wallet random(0, {last})\n{statement.replace('$3', 'gen_random_uuid()')};\n"


async def tps(program: Path, dsn: str, wallets: int, seconds: int, *, hot: bool) -> float:
    """Transactions a second.

    Raises:
        RowFailed: pgbench failed.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script(wallets, hot=hot))
        file.flush()
        process = await asyncio.create_subprocess_exec(
            program,
            *("-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-f", file.name),
            env=_environment(dsn),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            output, errors = await process.communicate()
        finally:
            await stop(process)
    found = _TPS.search(output.decode(errors="replace"))
    if process.returncode or found is None:
        raise RowFailed(f"pgbench failed: {errors.decode(errors='replace')[-400:]}")
    return float(found[1])


def _environment(dsn: str) -> dict[str, str]:
    """The environment by which libpq finds the database: a password must not be in a command line."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    named = {
        "PGHOST": query.get("host", [parts.hostname or ""])[0],
        "PGPORT": query.get("port", [str(parts.port or "")])[0],
        "PGUSER": unquote(parts.username or ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": parts.path.lstrip("/"),
        "PGSSLMODE": query.get("sslmode", [""])[0],
    }
    return {**os.environ, **{name: value for name, value in named.items() if value}}

"""``credentials rotate``, ended by SIGKILL in the middle of many rows that other processes change meanwhile."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
from collections.abc import AsyncIterator, Generator, Iterable
from pathlib import Path

import asyncpg
from conftest import FreshDatabase, TestDatabase
from support.service import COMMAND, WAIT_S, environment

from wallet_service.platform.vault.keys import Key, generate_key, parse_keys
from wallet_service.platform.vault.service import Vault

ROWS = 1000
FILE = "0199d0a8-0000-7000-8000-00000000f11e"
_GATE = """
create or replace function public.wait_at_gate() returns trigger language plpgsql set lock_timeout = 0 as $$
begin
  perform pg_advisory_xact_lock(new.number);
  return new;
end $$;
create or replace trigger gate before update on platform.file_chunks for each row
  when (old.key_id = 'old' and new.key_id = 'new' and new.number = {number}) execute function public.wait_at_gate();
select pg_advisory_lock({number});
"""
"""Makes a rotation wait in the replacement of this row, until the session that ran it gives the lock back."""

_WAITING = "select count(*) from pg_locks where locktype = 'advisory' and objid = $1 and not granted"
_SESSIONS = (
    "select count(*) from pg_stat_activity where datname = current_database() and pid <> all ($1::int[])"
)


class Rows:
    """The sealed chunks of a file, and what each should contain."""

    def __init__(self, connection: asyncpg.Connection, old: Key, new: Key) -> None:
        self.connection = connection
        self.before, self.after, self.only_new = Vault([old]), Vault([new, old]), Vault([new])
        self.contents = [os.urandom(20) for _ in range(ROWS)]

    async def create(self) -> None:
        await self.connection.execute(
            "insert into platform.files select $1::text::uuid, 'client:tests', 'n', 'a/b', 0, '', true, true, 0,"
            " now(), now() + interval '1 day', now()",
            FILE,
        )
        await self.connection.copy_records_to_table(
            "file_chunks",
            schema_name="platform",
            columns=("file_id", "number", "sealed", "key_id"),
            records=[
                (FILE, number, self.before.seal_bytes("files", f"{FILE}/{number}", content), "old")
                for number, content in enumerate(self.contents)
            ],
        )

    async def change(self, number: int, vault: Vault) -> None:
        """As another process does that has these keys: what it writes must still be there at the end."""
        content = os.urandom(20)
        done = await self.connection.execute(
            "update platform.file_chunks set sealed = $1, key_id = $2 where file_id = $3::text::uuid and number = $4",
            vault.seal_bytes("files", f"{FILE}/{number}", content),
            vault.key_ids[0],
            FILE,
            number,
        )
        assert done == "UPDATE 1"
        self.contents[number] = content

    @contextlib.asynccontextmanager
    async def changing(self, numbers: Iterable[int], *, old_from: int) -> AsyncIterator[None]:
        """Change rows all the time; those from ``old_from`` also with the old key alone."""
        chosen, stopped = list(numbers), asyncio.Event()
        dice = random.Random(old_from)  # noqa: S311 - it chooses rows
        changed = 0

        async def change() -> None:
            nonlocal changed
            while not stopped.is_set() or changed < 100:
                number = dice.choice(chosen)
                await self.change(number, self.before if number >= old_from and changed % 2 else self.after)
                changed += 1

        task = asyncio.create_task(change())
        try:
            yield
        finally:
            stopped.set()
            await task

    async def numbers(self, key_id: str) -> list[int]:
        query = "select number from platform.file_chunks where key_id = $1 order by number"
        return [row["number"] for row in await self.connection.fetch(query, key_id)]

    async def opened(self) -> list[bytes]:
        """The contents, by the new key alone."""
        rows = await self.connection.fetch("select number, sealed from platform.file_chunks order by number")
        return [self.only_new.open_bytes("files", f"{FILE}/{row['number']}", row["sealed"]) for row in rows]


@contextlib.contextmanager
def rotating(made: TestDatabase, folder: Path, keys: str) -> Generator[subprocess.Popen[str], None, None]:
    process = subprocess.Popen(
        [*COMMAND, "credentials", "rotate"],
        env=environment(folder, WALLET_DATABASE_URL=made.service_dsn, WALLET_CREDENTIAL_KEYS=keys),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=WAIT_S)


async def wait_for(connection: asyncpg.Connection, query: str, argument: object, wanted: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while await connection.fetchval(query, argument) != wanted:
            await connection.execute("select pg_stat_clear_snapshot()")


async def test_a_process_killed_in_the_middle_is_started_again_and_nothing_is_lost(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    made = await fresh_database()
    old, new = generate_key("old"), generate_key("new")
    gate, writer = await asyncpg.connect(made.dsn), await asyncpg.connect(made.dsn)
    rows = Rows(writer, *parse_keys(f"{old},{new}"))
    await rows.create()

    middle = ROWS // 2
    await gate.execute(_GATE.format(number=middle))
    with rotating(made, tmp_path, f"{new},{old}") as process:
        async with rows.changing((row for row in range(ROWS) if row != middle), old_from=0):
            await wait_for(gate, _WAITING, middle, 1)
        process.send_signal(signal.SIGKILL)
        assert process.wait(WAIT_S) == -signal.SIGKILL
    # The database completes the call that was under way when the process ended, or gives it up.
    await gate.execute("select pg_advisory_unlock($1)", middle)
    await wait_for(gate, _SESSIONS, [gate.get_server_pid(), writer.get_server_pid()], 0)
    done, left = await rows.numbers("new"), await rows.numbers("old")
    assert len(done) > 1
    assert len(left) > 1

    # A page has two rows: while the first is replaced, the second has been read, and then another process changes it.
    place = len(left) // 4 * 2
    first, second = left[place : place + 2]
    await gate.execute(_GATE.format(number=first))
    with rotating(made, tmp_path, f"{new},{old}") as process:
        async with rows.changing([*done, *range(second + 1, ROWS)], old_from=second + 1):
            await wait_for(gate, _WAITING, first, 1)
        await rows.change(second, rows.before)
        await gate.execute("select pg_advisory_unlock($1)", first)
        output, errors = await asyncio.to_thread(process.communicate, timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")
    assert "values sealed with new" in output
    assert await rows.numbers("new") == list(range(ROWS))
    assert await rows.opened() == rows.contents
    await gate.close()
    await writer.close()

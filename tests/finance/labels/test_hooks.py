"""Functions of later rooms that the rooms of finance call (``Room.hooks``)."""

from pathlib import Path

import asyncpg
import pytest
from conftest import FreshDatabase
from support.api import open_api, problem
from support.sample_releases import FolderRoom

from wallet_service.platform.database.migrate import migrate
from wallet_service.platform.database.sql_files import MigrationError, read_sql_files
from wallet_service.rooms import ROOMS

COUNT = """-- A function for a hook.
create or replace function finance.{name}(p_id uuid) returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
  return jsonb_build_object('{name}', (select count(*) from finance.labels l
    where l.label_id = p_id and l.name = 'used'));
end $$;
"""


def room_with(folder: Path, name: str, hook: str) -> FolderRoom:
    room = FolderRoom(name=name, schema="finance", folder=folder / name, hooks={hook: name})
    room.write(f"{name}.sql", COUNT.format(name=name))
    return room


async def test_each_room_counts_what_uses_a_label(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    made = await fresh_database()
    rooms = [room_with(tmp_path, name, "finance.count_label_uses") for name in ("parts_of", "rules_of")]
    await migrate(made.dsn, (*ROOMS, *rooms))
    async with open_api(made.service_dsn) as api:
        user = api.user()
        await user.post("/books", {"base_currency": "EUR"})
        used = (await user.post("/tags", {"name": "used"})).json()["label_id"]
        free = (await user.post("/tags", {"name": "free"})).json()["label_id"]
        refused = problem(await user.delete(f"/tags/{used}"), "label_in_use")
        assert refused["uses"] == {"children": 0, "merges": 0, "parts": 0, "rules": 0, "budgets": 0} | {
            "parts_of": 1,
            "rules_of": 1,
        }
        assert (await user.delete(f"/tags/{free}")).status_code == 204


async def test_each_room_completes_a_new_book(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    made = await fresh_database()
    await migrate(made.dsn, (*ROOMS, room_with(tmp_path, "last", "finance.complete_book")))
    connection = await asyncpg.connect(made.dsn)
    async with open_api(made.service_dsn) as api:
        book = await api.user().post("/books", {"base_currency": "EUR"})
    await connection.execute("delete from finance.labels")
    found = await connection.fetchval("select finance.complete_book($1)::text", book.json()["book_id"])
    await connection.close()
    assert found == '{"last": 0, "categories": 60}'


def test_a_hook_that_no_file_has_is_refused(tmp_path: Path) -> None:
    room = FolderRoom(name="last", schema="finance", folder=tmp_path, hooks={"finance.complete_book": "last"})
    with pytest.raises(MigrationError, match=r"declares for a hook finance\.last, and no file has this"):
        read_sql_files((*ROOMS, room))
    room = room_with(tmp_path, "last", "finance.nothing")
    with pytest.raises(MigrationError, match=r"no file has finance\.nothing, which calls them"):
        read_sql_files((*ROOMS, room))

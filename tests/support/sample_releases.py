"""The rooms of made-up releases, whose SQL lies in folders of a test."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wallet_service.core.room import Room
from wallet_service.platform.database.sql_files import latest_migration
from wallet_service.rooms import ROOMS

THING = "create table wallet.things (thing_id int primary key);"


def function(name: str, arguments: str = "", body: str = "select 'one'", returns: str = "text") -> str:
    return f"""-- A function; with a semicolon, and a quote: ';
create or replace function {name}({arguments}) returns {returns}
language sql security definer set search_path = pg_catalog, pg_temp as $$
  /* ; */ {body}; -- $tag$
$$;
"""


@dataclass(frozen=True, kw_only=True)
class FolderRoom(Room):
    """A room whose SQL is in a folder of a test."""

    folder: Path
    module: str = "made_up.folder.room"
    summary: str = "a room of a test"

    @property
    def sql(self) -> Path:
        return self.folder

    def write(self, name: str, sql: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sql)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()


class Release:
    """A release of one room."""

    def __init__(self, folder: Path) -> None:
        self.room = FolderRoom(name="things", folder=folder)
        self.rooms: Sequence[Room] = (self.room,)
        self.write("migrations/0001_things_table.sql", THING)
        self.write("one.sql", function("wallet_api.one"))
        self.write("helper.sql", function("wallet.helper"))

    def write(self, name: str, sql: str) -> None:
        self.room.write(name, sql)

    def remove(self, name: str) -> None:
        self.room.remove(name)


def following(folder: Path) -> Sequence[Room]:
    """The rooms of a release after this one: all of this one's, and one with a table script."""
    note = FolderRoom(name="note", folder=folder)
    number = int(latest_migration(ROOMS)) + 1
    note.write(f"migrations/{number:04}_note_column.sql", "alter table wallet.wallets add column note text;")
    return (*ROOMS, note)

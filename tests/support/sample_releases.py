"""SQL folders of invented releases."""

import shutil
from pathlib import Path

from wallet_service.platform.database.sql_files import latest_migration, sql_folder

THING = "create table wallet.things (thing_id int primary key);"


def function(name: str, arguments: str = "", body: str = "select 'one'", returns: str = "text") -> str:
    return f"""-- A function; with a semicolon, and a quote: ';
create or replace function {name}({arguments}) returns {returns}
language sql security definer set search_path = pg_catalog, pg_temp as $$
  /* ; */ {body}; -- $tag$
$$;
"""


class Release:
    """The SQL folder of an invented release."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("schema/0001_things.sql", THING)
        self.write("functions/wallet_api/one.sql", function("wallet_api.one"))
        self.write("functions/wallet/helper.sql", function("wallet.helper"))

    def write(self, name: str, sql: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(sql)

    def remove(self, name: str) -> None:
        (self.folder / name).unlink()


def following(folder: Path) -> Path:
    """The SQL of a later release: the present SQL and one more migration."""
    for part in ("schema", "functions"):
        shutil.copytree(Path(str(sql_folder())) / part, folder / part)
    number = int(latest_migration()) + 1
    (folder / "schema" / f"{number:04}_note.sql").write_text(
        "alter table wallet.wallets add column note text;"
    )
    return folder

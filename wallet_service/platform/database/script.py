"""The script that migrates a database to a release; ``migrate`` runs it, ``migrate --sql`` prints it."""

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources

from wallet_service import __version__
from wallet_service.core.room import Room
from wallet_service.platform.database.indexes import LOCK as INDEX_LOCK
from wallet_service.platform.database.sql_files import SqlFiles, read_indexes, read_sql_files

ADVISORY_LOCK = 8208_0001
"""The key of the advisory lock that a migration holds until its transaction ends."""

NEWER, STOPPED, BUILDING = "WL010", "WL011", "WL013"
"""SQLSTATEs of the script's own errors: a newer release has migrated the database; any other reason; another run is
building indexes, which this one must not disturb."""

REPORT = "wallet_service.report"
"""The setting that holds, until the transaction ends, what the script changed, as JSON."""

_PLACE = re.compile(r"\{\{(\w+)\}\}")


def migration_script(rooms: Sequence[Room], release: str = __version__) -> str:
    """One SQL statement that migrates any database to this release, or refuses. It needs nothing but PostgreSQL.

    Args:
        rooms: whose SQL is applied.
        release: the name under which the run is recorded.

    Raises:
        MigrationError: the content of a file does not fit its name.
    """
    return render(read_sql_files(rooms), release)


def index_statements(rooms: Sequence[Room], release: str = __version__) -> str:
    """The statements that build the indexes of the rooms. Each is run by itself, outside of a transaction.

    Raises:
        MigrationError: a file of indexes is not one.
    """
    indexes = "\n".join(index.sql for index in read_indexes(rooms))
    return _filled("index_statements.sql", {"release": release.replace("\n", " "), "indexes": indexes})


def render(files: SqlFiles, release: str) -> str:
    """``migration_script`` for files that were read already."""
    texts = (file.sql for file in (*files.migrations, *files.functions))
    parts = {
        "tag": _tag("wallet_service", *texts),
        "release": release.replace("\n", " "),
        "release_literal": _literal(release),
        "schemas": _array(files.schemas),
        "numbers": _array([migration.number for migration in files.migrations]),
        "functions_checksum": _literal(files.functions_checksum),
        "names": _array([function.qualified for function in files.functions]),
        "definitions": _definitions("c_names"),
        "lock": str(ADVISORY_LOCK),
        "index_lock": str(INDEX_LOCK),
        "posting_rules": _array(files.posting_rules),
        "migrations": _rows(
            4, ((file.number, file.name, file.checksum, file.sql) for file in files.migrations)
        ),
        "functions": _rows(3, ((file.schema, file.name, file.sql) for file in files.functions)),
        "grants": _grants(files.schemas),
    }
    return _filled("script.sql", parts)


def current_query(files: SqlFiles) -> str:
    """The query that returns whether a database is current; ``current.sql`` describes its parameters."""
    return _filled(
        "current.sql", {"definitions": _definitions("$3::text[]"), "grants": _grants(files.schemas)}
    )


def _definitions(names: str) -> str:
    return _filled("definitions.sql", {"names": names})


def _grants(schemas: Sequence[str]) -> str:
    return _filled("grants.sql", {"schemas": _array(schemas)})


def _filled(name: str, parts: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: parts[place[1]], _text(name))


def _text(name: str) -> str:
    file = resources.files("wallet_service.platform.database") / "runner" / name
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")


def _rows(columns: int, rows: Iterable[Sequence[str]]) -> str:
    """A query for these rows; the last column is the text of a file."""
    lines = [f"({', '.join([*map(_literal, row[:-1]), _quoted(row[-1])])})" for row in rows]
    if not lines:
        return f"select {', '.join(['null::text'] * columns)} where false"
    return "values\n" + ",\n".join(lines)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _array(texts: Sequence[str]) -> str:
    return f"array[{', '.join(map(_literal, texts))}]::text[]"


def _quoted(sql: str) -> str:
    """The text in dollar quotes, so that the file can be read in the script as it is."""
    tag = _tag("file", sql)
    return f"{tag}{sql}{tag}"


def _tag(name: str, *texts: str) -> str:
    """A dollar quote that does not occur in these texts."""
    tags = (f"${name}{number or ''}$" for number in itertools.count())
    return next(tag for tag in tags if not any(tag in text for text in texts))

"""The SQL files of a release: numbered migrations, one function per file. Checked without a server."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

SCHEMAS = ("wallet", "wallet_api")
"""The Postgres schemas of the service: tables with their helpers, and the functions that may be called."""

_MIGRATION_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_NOT_CODE = re.compile(
    r"""--[^\n]*                                    # line comment
    |   /\*.*?\*/                                   # block comment
    |   (?P<tag>\$(?:[a-z_]\w*)?\$).*?(?P=tag)       # dollar-quoted body
    |   '(?:[^']|'')*'                              # string
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_FUNCTION_HEAD = re.compile(r"create\s+or\s+replace\s+function\s+(\w+)\.(\w+)\s*\(", re.IGNORECASE)


class MigrationError(Exception):
    """The database can't be brought to this release; the message says why, and nothing was changed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered, forward-only step of the tables.

    Attributes:
        number: four digits, gapless from 0001.
        name: what the file name says after the number.
        sql: the file's text.
        checksum: SHA-256 of the text, hexadecimal.
    """

    number: str
    name: str
    sql: str
    checksum: str

    @property
    def file(self) -> str:
        """The file's path below the SQL folder."""
        return f"schema/{self.number}_{self.name}.sql"


@dataclass(frozen=True, slots=True)
class Function:
    """A function whose file replaces it whole.

    Attributes:
        schema: the Postgres schema, and the folder.
        name: the function's name, and the file's.
        sql: the file's text, one CREATE OR REPLACE FUNCTION.
    """

    schema: str
    name: str
    sql: str

    @property
    def qualified(self) -> str:
        """The name with its schema."""
        return f"{self.schema}.{self.name}"

    @property
    def file(self) -> str:
        """The file's path below the SQL folder."""
        return f"functions/{self.schema}/{self.name}.sql"


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """Everything that ``migrate`` applies.

    Attributes:
        migrations: in the order of their numbers.
        functions: in the order of their qualified names.
        functions_checksum: SHA-256 over all function files, hexadecimal.
    """

    migrations: Sequence[Migration]
    functions: Sequence[Function]
    functions_checksum: str


def sql_folder() -> Traversable:
    """The folder with ``schema`` and ``functions``, in a clone or inside an installed wheel."""
    return resources.files("wallet_service.platform.database")


def read_sql_files(source: Traversable | None = None) -> SqlFiles:
    """Read and check the files of a release.

    Raises:
        MigrationError: a gap in the numbers, or a file that holds something else than its name says.
    """
    folder = source or sql_folder()
    functions = sorted(_functions(folder / "functions"), key=lambda function: function.qualified)
    whole = hashlib.sha256()
    for function in functions:
        # Lengths keep two different sets from reading as the same bytes.
        whole.update(f"{function.file} {len(function.sql)}\n{function.sql}".encode())
    return SqlFiles(tuple(_migrations(folder / "schema")), tuple(functions), whole.hexdigest())


def latest_migration(source: Traversable | None = None) -> str:
    """The number of this release's newest migration, "0000" without any; to compare with a database."""
    return max(
        (migration.number for migration in _migrations((source or sql_folder()) / "schema")), default="0000"
    )


def _migrations(folder: Traversable) -> list[Migration]:
    migrations: list[Migration] = []
    for file in _sql_files_in(folder):
        match = _MIGRATION_FILE.fullmatch(file.name)
        if match is None:
            raise MigrationError(f"schema/{file.name}: the name is not of the form 0001_what_it_does.sql")
        sql = _text_of(file)
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        migrations.append(Migration(match["number"], match["name"], sql, checksum))
    for expected, migration in enumerate(migrations, start=1):
        if int(migration.number) != expected:
            raise MigrationError(
                f"{migration.file}: expected number {expected:04}; numbers have no gaps and no twins"
            )
    return migrations


def _functions(folder: Traversable) -> Iterator[Function]:
    if not folder.is_dir():
        return
    for schema in folder.iterdir():
        if not schema.is_dir() or schema.name.startswith(("_", ".")):
            continue
        if schema.name not in SCHEMAS:
            raise MigrationError(
                f"functions/{schema.name}: there is no such schema; expected one of {SCHEMAS}"
            )
        for file in _sql_files_in(schema):
            function = Function(schema.name, file.name.removesuffix(".sql"), _text_of(file))
            _check(function)
            yield function


def _check(function: Function) -> None:
    """Refuse a file that is anything else than one function of the file's name."""
    code = _NOT_CODE.sub(lambda match: "''" if match[0][0] in "$'" else " ", function.sql)
    statements = [statement.strip() for statement in code.split(";") if statement.strip()]
    if len(statements) != 1:
        raise MigrationError(f"{function.file}: holds {len(statements)} statements instead of one")
    head = _FUNCTION_HEAD.match(statements[0])
    if head is None:
        raise MigrationError(f"{function.file}: does not start with create or replace function schema.name(")
    if head.groups() != (function.schema, function.name):
        raise MigrationError(
            f"{function.file}: defines {'.'.join(head.groups())} instead of {function.qualified}"
        )


def _sql_files_in(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        return []
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )


def _text_of(file: Traversable) -> str:
    # A checkout with other line ends is the same release.
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")

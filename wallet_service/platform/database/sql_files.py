"""The SQL of a release: what the rooms have in their folders ``sql``. Read and checked without a server.

``sql/*.sql`` hold functions, ``sql/migrations/NNNN_<room>_<what>.sql`` are the scripts that change tables, and
``sql/indexes.sql`` has the indexes that are built while the service works.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable

from wallet_service.core.errors import ReportedError
from wallet_service.core.room import Room, posting_members_of
from wallet_service.platform.database.generated import (
    CLOCK,
    DISPATCHER,
    dispatcher,
    hook,
    masked_members,
    operation_types,
    posting_members,
    posting_parts,
    test_clock_function,
)

EXPOSED = "wallet_api"
"""The schema of the functions that may be called. All other schemas are private."""
RUNNER = "wallet"
"""The schema of the runner's own tables."""

_SCHEMA = re.compile(r"(?!pg_|public$|information_schema$)[a-z][a-z0-9_]*")

_MIGRATION_FILE = re.compile(r"(?P<number>\d{4})_(?P<name>[a-z0-9_]+)\.sql")
_NOT_CODE = re.compile(
    r"""--[^\n]*                                    # line comment
    |   /\*.*?\*/                                   # block comment
    |   (?P<tag>\$(?:[a-z_]\w*)?\$).*?(?P=tag)       # dollar-quoted body
    |   '(?:[^']|'')*'                              # string
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_INDEX_HEAD = re.compile(
    r"create\s+(?:unique\s+)?index\s+concurrently\s+if\s+not\s+exists\s+(\w+)\s+on\s+(?:only\s+)?(\w+)\.\w+\b",
    re.IGNORECASE,
)
_INDEXES = "indexes.sql"
_STATEMENT = re.compile(r"\s*(?P<code>[^;\s][^;]*);?")
_FUNCTION_HEAD = re.compile(r"create\s+or\s+replace\s+function\s+(\w+)\.(\w+)\s*\(", re.IGNORECASE)
_EXPOSED_HEAD = re.compile(
    rf"^create\s+or\s+replace\s+function\s+{EXPOSED}\.(\w+)\s*\(", re.IGNORECASE | re.MULTILINE
)
_BLANK_LINE = "\n\n"


class MigrationError(ReportedError):
    """The database can't be migrated to this release. The message has the reason; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered, forward-only script that changes tables.

    Attributes:
        number: four digits. Numbers have gaps, so that branches don't collide; no two rooms have the same one.
        name: the rest of the file's name; begins with the room's.
        file: the file's path in the package.
        sql: the file's text.
        checksum: SHA-256 of the text, hexadecimal.
        line: the line of the file on which ``sql`` begins.
    """

    number: str
    name: str
    file: str
    sql: str
    checksum: str
    line: int = 1


@dataclass(frozen=True, slots=True)
class Function:
    """A function, which is replaced as a whole.

    Attributes:
        schema: the Postgres schema.
        name: unique over all rooms and schemas.
        file: the path in the package of the file that defines it.
        line: the line of the file on which ``sql`` begins, from 1.
        sql: its comment and one CREATE OR REPLACE FUNCTION.
    """

    schema: str
    name: str
    file: str
    line: int
    sql: str

    @property
    def qualified(self) -> str:
        """The name with its schema."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Index:
    """An index that is built without stopping writes, after the table scripts; code works while it is missing.

    Attributes:
        schema: that of its table.
        name: unique over all rooms. An index with another definition needs another name.
        file: the path in the package of the file that defines it.
        sql: its comment and one CREATE INDEX CONCURRENTLY IF NOT EXISTS.
    """

    schema: str
    name: str
    file: str
    sql: str

    @property
    def qualified(self) -> str:
        """The name with its schema."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class SqlFiles:
    """Everything that ``migrate`` applies.

    Attributes:
        schemas: of the service; all of them are its own.
        migrations: in the order of their numbers.
        functions: in the order of their qualified names.
        functions_checksum: SHA-256 over all functions, hexadecimal.
        posting_rules: qualified names of functions, in the order of the rooms.
        indexes: in the order of the rooms.
    """

    schemas: Sequence[str]
    migrations: Sequence[Migration]
    functions: Sequence[Function]
    functions_checksum: str
    posting_rules: Sequence[str]
    indexes: Sequence[Index]


def read_sql_files(rooms: Sequence[Room], *, test_clock: bool = False) -> SqlFiles:
    """Read and check the SQL of these rooms.

    Args:
        rooms: the rooms.
        test_clock: whether the ledger gets a clock that can be set.

    Raises:
        MigrationError: a number or a name is used twice, or a file holds something else than its name promises.
    """
    rules = tuple(f"{room.schema}.{name}" for room in rooms for name in room.posting_rules)
    written = itertools.chain(_functions(rooms), _declared(rooms))
    joined = _with_hooks(_with_members(_with_parts(_with_rules(written, rules), rooms), rooms), rooms)
    found = [_with_test_clock(each) if test_clock else each for each in joined]
    functions = sorted(found, key=lambda function: function.qualified)
    whole = hashlib.sha256()
    for function in functions:
        # Lengths keep two different sets from reading as the same bytes.
        whole.update(f"{function.qualified} {len(function.sql)}\n{function.sql}".encode())
    return SqlFiles(
        schemas=_schemas(rooms),
        migrations=tuple(_migrations(rooms)),
        functions=tuple(functions),
        functions_checksum=whole.hexdigest(),
        posting_rules=rules,
        indexes=read_indexes(rooms),
    )


def read_indexes(rooms: Sequence[Room]) -> tuple[Index, ...]:
    """The indexes of these rooms.

    Raises:
        MigrationError: a statement is something else, or a name is used twice.
    """
    schemas = _schemas(rooms)
    found: dict[str, Index] = {}
    for room in rooms:
        if (room.sql / _INDEXES).is_file():
            for index in _indexes_of(room, schemas):
                other = found.setdefault(index.name, index)
                if other is not index:
                    raise MigrationError(f"{index.file} and {other.file} both define an index {index.name}")
    return tuple(found.values())


def _indexes_of(room: Room, schemas: Sequence[str]) -> Iterator[Index]:
    path = _path(room, _INDEXES)
    for statement in _statements(_text_of(room.sql / _INDEXES)):
        head = _INDEX_HEAD.match(statement.code)
        if head is None or head[2] not in schemas or head[2] == EXPOSED:
            raise MigrationError(
                f"{path}, line {statement.line}: this is not"
                " create index concurrently if not exists name on schema.table, in a schema of the rooms"
            )
        yield Index(head[2], head[1], path, statement.sql)


def latest_migration(rooms: Sequence[Room]) -> str:
    """The number of this release's newest migration; "0000" if there is none."""
    return max((migration.number for migration in _migrations(rooms)), default="0000")


def exposed_functions(rooms: Sequence[Room]) -> tuple[str, ...]:
    """The names of the functions of these rooms in ``wallet_api``, without the schema, sorted.

    Each start of the service needs them, so they are found by the first line of each function, which takes a fifth of
    the time that ``read_sql_files`` takes. A test compares the two.
    """
    files = (file for room in rooms for file in _sql_files_in(room.sql) if file.name != _INDEXES)
    heads = (head for file in files for head in _EXPOSED_HEAD.findall(_text_of(file)))
    return tuple(sorted(heads))


def _schemas(rooms: Sequence[Room]) -> tuple[str, ...]:
    for room in rooms:
        if _SCHEMA.fullmatch(room.schema) is None or room.schema == EXPOSED:
            raise MigrationError(f"room {room.name}: {room.schema} can't be the schema of a room")
    return tuple(sorted({RUNNER, EXPOSED} | {room.schema for room in rooms}))


def _migrations(rooms: Sequence[Room]) -> list[Migration]:
    migrations = [_migration(room, file) for room in rooms for file in _sql_files_in(room.sql / "migrations")]
    found: dict[str, Migration] = {}
    for migration in migrations:
        other = found.setdefault(migration.number, migration)
        if other is not migration:
            raise MigrationError(f"{migration.file} has the number of {other.file}: give one of them another")
    return sorted(migrations, key=lambda migration: migration.number)


def _migration(room: Room, file: Traversable) -> Migration:
    path = _path(room, f"migrations/{file.name}")
    match = _MIGRATION_FILE.fullmatch(file.name)
    if match is None or not match["name"].startswith(f"{room.name}_"):
        raise MigrationError(f"{path}: the name is not of the form 0001_{room.name}_what_it_does.sql")
    sql = _text_of(file)
    return Migration(match["number"], match["name"], path, sql, hashlib.sha256(sql.encode()).hexdigest())


def _functions(rooms: Sequence[Room]) -> Iterator[Function]:
    found: dict[str, Function] = {}
    for room in rooms:
        for file in (file for file in _sql_files_in(room.sql) if file.name != _INDEXES):
            functions = list(_functions_of(room, file))
            if file.name.removesuffix(".sql") not in {function.name for function in functions}:
                raise MigrationError(f"{_path(room, file.name)}: holds no function of the file's name")
            for function in functions:
                other = found.setdefault(function.name, function)
                if other is not function:
                    raise MigrationError(
                        f"{function.file} and {other.file} both define a function {function.name}"
                    )
            yield from functions


def _with_rules(functions: Iterable[Function], rules: Sequence[str]) -> list[Function]:
    """The functions, with a dispatcher that calls these posting rules."""
    written: Mapping[str, str] = {DISPATCHER: dispatcher(rules)} if rules else {}
    texts = ("declares the posting rule", "declare posting rules", "posting rules of the rooms")
    return _with_written(functions, rules, written, *texts)


def _with_parts(functions: Iterable[Function], rooms: Sequence[Room]) -> list[Function]:
    """The functions, with those by which rooms take part in postings, if any does."""
    parts = [(room.schema, room.posting_part) for room in rooms if room.posting_part is not None]
    deciding = {
        kind.name: f"{room.schema}.{kind.decide}"
        for room in rooms
        for kind in room.operation_types
        if kind.decide is not None
    }
    named = [*deciding.values()]
    for schema, part in parts:
        steps = (part.settle, part.open, part.follow, part.write)
        named += [f"{schema}.{name}" for name in steps if name is not None]
    try:
        written: Mapping[str, str] = posting_parts(parts, deciding) if named else {}
    except ValueError as error:
        raise MigrationError(str(error)) from error
    texts = ("takes part in postings with", "take part in postings", "rooms that take part in postings")
    return _with_written(functions, named, written, *texts)


def _with_members(functions: Iterable[Function], rooms: Sequence[Room]) -> list[Function]:
    """The functions, with those for members that rooms add to requests, if any does."""
    schemas = [room.schema for room in rooms if room.posting_members is not None]
    parts = [
        (f"{schema}.{members.check}", f"{schema}.{members.write}", tuple(model.model_fields))
        for schema, (members, model) in zip(schemas, posting_members_of(rooms), strict=True)
    ]
    named = [name for check, write, _ in parts for name in (check, write)]
    try:
        written: Mapping[str, str] = posting_members(parts) if parts else {}
    except ValueError as error:
        raise MigrationError(str(error)) from error
    texts = ("declares for members of requests", "add members to requests", "members of requests")
    return _with_written(functions, named, written, *texts)


def _with_hooks(functions: Iterable[Function], rooms: Sequence[Room]) -> list[Function]:
    """The functions, with those by which earlier rooms call what later ones declare for it."""
    called: dict[str, list[str]] = {}
    for room in rooms:
        for name, function in room.hooks.items():
            called.setdefault(name, []).append(f"{room.schema}.{function}")
    named = [function for each in called.values() for function in each]
    written = {name: hook(name, each) for name, each in called.items()}
    return _with_written(
        functions, named, written, "declares for a hook", "declare for a hook", "hooks of the rooms"
    )


def _with_written(
    functions: Iterable[Function],
    named: Sequence[str],
    written: Mapping[str, str],
    one: str,
    several: str,
    place: str,
) -> list[Function]:
    """The functions, with these in place of the ledger's. ``one`` and ``several`` are what rooms do, for messages."""
    found = {function.qualified: function for function in functions}
    for name in named:
        if name not in found:
            raise MigrationError(f"a room {one} {name}, and no file has this function")
    for name, text in written.items():
        if name not in found:
            raise MigrationError(f"rooms {several}, and no file has {name}, which calls them")
        found[name] = replace(found[name], file=f"the {place}", line=1, sql=text)
    return list(found.values())


def _with_test_clock(function: Function) -> Function:
    """The function, or in place of the ledger's clock the one that can be set."""
    if function.qualified != CLOCK:
        return function
    return replace(function, file="the test clock", line=1, sql=test_clock_function())


def _declared(rooms: Sequence[Room]) -> Iterator[Function]:
    """The functions that list what rooms declare: types of operations, and masked members of events."""
    types = [kind for room in rooms for kind in room.operation_types]
    events = [kind for room in rooms for kind in room.event_types]
    try:
        if types:
            yield from _generated(operation_types(types), "the operation types of the rooms")
        if events:
            yield from _generated(masked_members(events), "the event types of the rooms")
    except ValueError as error:
        raise MigrationError(str(error)) from error


def _generated(text: str, place: str) -> Iterator[Function]:
    for statement in _statements(text):
        head = _FUNCTION_HEAD.match(statement.code)
        if head is not None:
            yield Function(head[1], head[2], place, statement.first_line, statement.sql)


def _functions_of(room: Room, file: Traversable) -> Iterator[Function]:
    path = _path(room, file.name)
    for statement in _statements(_text_of(file)):
        head = _FUNCTION_HEAD.match(statement.code)
        if head is None:
            raise MigrationError(
                f"{path}, line {statement.line}: this is not create or replace function schema.name("
            )
        if head[1] not in (room.schema, EXPOSED):
            raise MigrationError(
                f"{path}, line {statement.line}: a function of this room is in {room.schema} or {EXPOSED}"
            )
        yield Function(head[1], head[2], path, statement.first_line, statement.sql)


@dataclass(frozen=True, slots=True)
class _Statement:
    """A statement of a file.

    Attributes:
        sql: its text with the comment directly above it. A comment apart from it belongs to the file.
        first_line: where ``sql`` begins, from 1.
        line: where the statement itself begins.
        code: the statement without comments, and without the contents of strings.
    """

    sql: str
    first_line: int
    line: int
    code: str


def _statements(text: str) -> Iterator[_Statement]:
    code = _NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    end = 0
    for statement in _STATEMENT.finditer(code):
        start = statement.start("code")
        comment = text[end:start]
        if "/*" not in comment:
            comment = comment.rpartition(_BLANK_LINE)[2]
        begin, end = start - len(comment.lstrip()), statement.end()
        first_line, line = (text.count("\n", 0, place) + 1 for place in (begin, start))
        yield _Statement(f"{text[begin:end]}\n", first_line, line, code[start:end])


def _path(room: Room, file: str) -> str:
    return f"{room.package.partition('.')[2].replace('.', '/')}/sql/{file}"


def _sql_files_in(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        return []
    return sorted(
        (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
    )


def _text_of(file: Traversable) -> str:
    # A checkout with other line ends is the same release.
    return file.read_text(encoding="utf-8").replace("\r\n", "\n")

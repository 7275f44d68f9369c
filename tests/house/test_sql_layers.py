"""SQL of a room uses functions and tables of rooms before it, as imports in Python do."""

import re
from pathlib import Path

from wallet_service.platform.database.sql_files import EXPOSED
from wallet_service.rooms import PACKAGES, ROOMS

SERVICE = Path(__file__).parents[2] / "wallet_service"

SCHEMAS = "|".join(sorted({EXPOSED} | {room.schema for room in ROOMS}))
CREATED = re.compile(
    rf"create (?:or replace )?(?:function|table(?: if not exists)?|type|view)\s+((?:{SCHEMAS})\.\w+)"
)
USED = re.compile(rf"\b(?:{SCHEMAS})\.\w+")

EXCEPTIONS = {("platform.membership", "wallet.wallets")}
"""Whether an owner was verified is a column of the wallet, so that it is written in the transaction that creates it."""


def statements() -> list[tuple[str, str]]:
    """The SQL of each room, without comments: the room, and the text of a file."""
    return [
        (room, re.sub(r"--[^\n]*", "", path.read_text()))
        for room in PACKAGES
        for path in sorted((SERVICE / room.replace(".", "/") / "sql").rglob("*.sql"))
    ]


def test_sql_uses_what_rooms_before_it_define() -> None:
    created: dict[str, str] = {}
    for room, text in statements():
        for name in CREATED.findall(text):
            created.setdefault(name, room)
    assert created["wallet_api.post_transactions"] == "ledger"
    assert created["platform.file_chunks"] == "platform.files"
    found = {
        (room, name)
        for room, text in statements()
        for name in USED.findall(text)
        if name in created and PACKAGES.index(created[name]) > PACKAGES.index(room)
    }
    assert found == EXCEPTIONS

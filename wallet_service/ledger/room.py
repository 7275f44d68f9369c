"""What the ledger declares."""

from wallet_service.core.room import Room
from wallet_service.ledger.settings import CommitSettings
from wallet_service.ledger.verify import LEDGER_WALKS

ROOM = Room(
    name="ledger",
    module=__name__,
    summary="the one way to move money: operations, group commit, the SQL kernel, verify",
    settings=CommitSettings,
    lifespan="lifespan:open_ledger",
    commands="commands:add_commands",
    verify_walks=LEDGER_WALKS,
)

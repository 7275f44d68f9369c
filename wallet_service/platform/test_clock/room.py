"""Declares the room."""

from wallet_service.core.room import EventType, Room
from wallet_service.platform.test_clock.problems import TestClockMissing

ROOM = Room(
    name="test_clock",
    module=__name__,
    summary="a clock of the ledger that callers set, for trying out what time does; never in production",
    routers=("router:router",),
    problems=(TestClockMissing,),
    event_types=(
        EventType(name="test_clock.set", summary="The test clock was set.", data="schemas:TestClock"),
    ),
    lifespan="lifespan:open_test_clock",
)

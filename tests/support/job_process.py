"""A worker in a process of its own that also knows the jobs of tests: ``python -m support.job_process``."""

import asyncio

from support.job_room.room import ROOM
from wallet_service.core.commands import print_line
from wallet_service.platform.telemetry.logging import configure_logging
from wallet_service.rooms import ROOMS
from wallet_service.runtime.configuration import load_settings
from wallet_service.runtime.worker import work

if __name__ == "__main__":
    configure_logging("info", form="json")
    asyncio.run(work(load_settings(), print_line, (*ROOMS, ROOM)))

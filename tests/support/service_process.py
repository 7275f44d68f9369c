"""The service as a process of its own on a database of the tests, for callers that are not in Python."""

import contextlib
from collections.abc import Generator
from pathlib import Path

from support.api import ADMIN_KEY
from support.service import Service, serving


@contextlib.contextmanager
def running_service(service_dsn: str, folder: Path, **more: str) -> Generator[Service, None, None]:
    """The running service. Its admin key is ``ADMIN_KEY``.

    Args:
        service_dsn: a migrated database, as the service logs in there.
        folder: for the service's own files.
        more: further settings.
    """
    settings = {
        "WALLET_ADMIN_KEY": ADMIN_KEY,
        "WALLET_MIGRATE_ON_START": "false",
        **more,
    }
    with serving(folder, WALLET_DATABASE_URL=service_dsn, **settings) as service:
        yield service

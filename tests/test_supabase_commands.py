"""docs/supabase.md as its reader does it: an empty project, migrate, a running service, the other commands."""

import asyncio
import signal
from pathlib import Path

import pytest
from conftest import FreshDatabase, Locate
from support.service import Service, command, refused, serving
from support.supabase import Project

pytestmark = [pytest.mark.supabase, pytest.mark.parametrize("driver", ["supabase"], indirect=True)]


@pytest.fixture
async def empty(fresh_database: FreshDatabase, locate_database: Locate) -> tuple[str, Project]:
    """The address of an empty project's database, and the project."""
    made = await fresh_database(empty=True)
    project = await locate_database(made)
    assert isinstance(project, Project)
    return made.dsn, project


def walk(data_dir: Path, dsn: str, settings: dict[str, str], other_key: str) -> None:
    assert "run wallet-service migrate" in refused(command(data_dir, "serve", **settings))
    assert "--database-url" in refused(command(data_dir, "migrate", **settings))
    migrated = command(data_dir, "migrate", "--database-url", dsn, **settings)
    assert migrated.returncode == 0, migrated.stderr
    assert "applied 0001_ledger_tables.sql" in migrated.stdout

    with serving(data_dir, **settings) as service:
        assert "The data are in the Supabase project 127.0.0.1" in service.printed
        assert service.status(service.key) == 200
        settings |= {"SUPABASE_SERVICE_ROLE_KEY": other_key}
        made = command(data_dir, "keys", "create", "reports", "--scope", "stats:read", **settings)
        key = made.stdout.strip()
        assert service.status(key) == 200
        revoked = command(data_dir, "keys", "revoke", key, **settings)
        assert "is revoked since" in revoked.stdout
        assert "reports  revoked" in command(data_dir, "keys", "list", **settings).stdout
        verified = command(data_dir, "verify", **settings)
        assert verified.returncode == 0, verified.stdout
        assert service.stop(signal.SIGTERM) == 0
    assert not data_dir.exists()  # nothing is kept, and no server of its own was started


async def test_from_an_empty_project_to_a_running_service(
    empty: tuple[str, Project], own_folder: Path
) -> None:
    """The service has a key of the older kind, the commands beside it one of the newer."""
    dsn, project = empty
    settings = {"SUPABASE_URL": project.url, "SUPABASE_SERVICE_ROLE_KEY": project.service_role_key}
    await asyncio.to_thread(walk, own_folder / "data", dsn, settings, project.secret_key)


async def test_it_starts_while_the_project_is_unavailable(
    empty: tuple[str, Project], own_folder: Path
) -> None:
    """With a key of the operator's nothing is asked of the project at the start."""
    _, project = empty
    await project.stop_rest()
    settings = {"SUPABASE_URL": project.url, "SUPABASE_SERVICE_ROLE_KEY": project.secret_key}
    settings["WALLET_LOG_LEVEL"] = "critical"  # its log tells of the project, with a traceback

    def start_and_stop() -> int:
        service = Service(own_folder / "data", WALLET_ADMIN_KEY="k" * 32, **settings).wait_until_ready()
        try:
            assert service.status("k" * 32, "/health/live") == 200
            assert service.status("k" * 32, "/health/ready") == 503
        finally:
            ended = service.stop()
        return ended

    assert await asyncio.to_thread(start_and_stop) == 0

"""The hosts of a URL: which are asked, in which order, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from conftest import TestDatabase
from support.cluster import SERVICE_LOGIN, Cluster

from wallet_service.platform.database.hosts import Hosts, NoHostError, _single_hosts


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        (
            "postgresql://me:se%2Ccret@one:1,[::1]:2,%2Frun/wallet?sslmode=require",
            [
                ("postgresql://me:se%2Ccret@one:1/wallet?sslmode=require", "one:1"),
                ("postgresql://me:se%2Ccret@[::1]:2/wallet?sslmode=require", "[::1]:2"),
                ("postgresql://me:se%2Ccret@%2Frun/wallet?sslmode=require", "/run"),
            ],
        ),
        (
            "postgresql://me@/wallet?user=x&host=/a,b&port=1,2",
            [
                ("postgresql://me@/wallet?user=x&host=%2Fa&port=1", "/a:1"),
                ("postgresql://me@/wallet?user=x&host=b&port=2", "b:2"),
            ],
        ),
        (
            "postgresql://me@/wallet?host=a,b&port=7",
            [
                ("postgresql://me@/wallet?host=a&port=7", "a:7"),
                ("postgresql://me@/wallet?host=b&port=7", "b:7"),
            ],
        ),
        ("postgresql://me@/wallet?host=/a", [("postgresql://me@/wallet?host=/a", "/a")]),
        ("postgresql://one/wallet", [("postgresql://one/wallet", "one")]),
        ("postgresql:///wallet", [("postgresql:///wallet", "(default)")]),
        # asyncpg reports that the numbers differ.
        (
            "postgresql://me@/wallet?host=a,b,c&port=1,2",
            [("postgresql://me@/wallet?host=a,b,c&port=1,2", "a")],
        ),
    ],
)
def test_each_host_has_the_rest_of_the_url(url: str, hosts: list[tuple[str, str]]) -> None:
    assert list(_single_hosts(url)) == hosts


@pytest.fixture
async def silent(tmp_path: Path) -> AsyncIterator[tuple[Path, list[asyncio.StreamWriter]]]:
    """A host that accepts connections and never answers, and its connections."""
    connected: list[asyncio.StreamWriter] = []
    server = await asyncio.start_unix_server(
        lambda _, writer: connected.append(writer), tmp_path / ".s.PGSQL.5432"
    )
    async with server:
        yield tmp_path, connected
        for writer in connected:
            writer.close()


async def test_a_silent_host_does_not_hide_the_next_and_the_good_one_comes_first(
    postgres: TestDatabase, silent: tuple[Path, list[asyncio.StreamWriter]]
) -> None:
    folder, connected = silent
    hosts = Hosts(f"{_dsn(postgres.cluster, postgres.name)}?host={folder},{postgres.cluster.socket_folder}")
    for _ in range(3):
        connection = await hosts.connect(timeout=4)
        assert await connection.fetchval("select 1") == 1
        await connection.close()
    assert len(connected) == 1


async def test_without_a_good_host_the_reason_of_each_is_named(
    tmp_path: Path, silent: tuple[Path, list[asyncio.StreamWriter]]
) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(NoHostError) as refusal:
        await Hosts(f"postgresql://me:hidden@/wallet?host={silent[0]},{absent}").connect(timeout=0.4)
    assert f"{silent[0]}: it does not answer; {absent}: " in str(refusal.value)
    assert "hidden" not in str(refusal.value)


async def test_a_url_that_can_not_be_used_is_reported_at_once() -> None:
    with pytest.raises(asyncpg.ClientConfigurationError):
        await Hosts("postgresql://me@/wallet?host=a,b&port=1,2&sslmode=none").connect(timeout=60)


def _dsn(cluster: Cluster, database: str) -> str:
    return cluster.dsn(database, SERVICE_LOGIN).partition("?")[0]

"""RealWallet starts the service for tests: as a fixture, in with blocks, and what is left when it fails."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.polling import wait_until
from wallet_client import WalletNotFound
from wallet_client.testing import RealWallet, ServiceNotStarted

ROOT = Path(__file__).parents[3]
TESTS = """
import pytest
from wallet_client import Forbidden

pytest_plugins = ["wallet_client.testing.pytest_plugin"]


@pytest.fixture(scope="session")
def real_wallet_settings():
    return {"WALLET_LOG_LEVEL": "warning"}


def test_one(real_wallet):
    with real_wallet.client() as service, real_wallet.client(user_id="ada") as ada:
        wallet = ada.create_wallet(user_id="ada")
        service.deposit(wallet.wallet_id, 5)
        assert ada.get_credits("ada").balance == 5
        with pytest.raises(Forbidden):
            ada.deposit(wallet.wallet_id, 5)


def test_two(real_wallet):
    with real_wallet.client() as service:
        assert service.statistics.service().wallets == 1
    assert "ready on" in real_wallet.output
    assert '"level": "info"' not in real_wallet.output
"""


@pytest.fixture(autouse=True)
def _this_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service of this clone is the one that is started."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (ROOT, ROOT / "clients/python/src"))))


def stopped(wallet: RealWallet) -> bool:
    process, folder = wallet._process, wallet._folder
    assert process is not None
    assert folder is not None
    return process.poll() is not None and not Path(folder.name).exists()


def test_pytest_starts_it_once_for_all_tests(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").touch()
    run = subprocess.run(
        [sys.executable, "-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:asyncio"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2 passed" in run.stdout


async def test_async_programs_use_it_too() -> None:
    async with RealWallet({"WALLET_ADMIN_KEY": "k" * 40}) as real:
        assert real.api_key == "k" * 40
        async with real.async_client() as service, real.async_client(user_id="bob") as bob:
            wallet = await service.create_wallet(user_id="ada", initial_balance=3)
            with pytest.raises(WalletNotFound):
                await bob.get_wallet(wallet.wallet_id)
            assert [
                each.balance async for each in service.wallets.list(user_id="ada", currency="CREDIT")
            ] == [3]
    assert stopped(real)
    with pytest.raises(RuntimeError, match="with block"):
        real.client()
    with pytest.raises(RuntimeError, match="starts once"):
        real.start()


async def test_a_cancelled_start_leaves_nothing() -> None:
    real = RealWallet()

    async def use() -> None:
        async with real:
            pass

    task = asyncio.create_task(use())
    await wait_until(lambda: real._process is not None)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped(real)


@pytest.mark.parametrize(
    ("settings", "start_timeout_s", "reason"),
    [
        ({"WALLET_PORT": "many"}, 60, r"ended. It printed:[\s\S]*WALLET_PORT should be a valid integer"),
        ({}, 0.2, r"was not ready within 0\.2 s"),
    ],
)
def test_a_service_that_does_not_start_leaves_nothing(
    settings: dict[str, str], start_timeout_s: float, reason: str
) -> None:
    real = RealWallet(settings, start_timeout_s=start_timeout_s)
    with pytest.raises(ServiceNotStarted, match=reason):
        real.start()
    assert stopped(real)

"""Fixtures of pytest for the real service.

Name this module in the conftest.py at the root of the tests: ``pytest_plugins = ["wallet_client.testing.pytest_plugin"]``
"""

from collections.abc import Iterator, Mapping

import pytest

from wallet_client.testing.service import RealWallet


@pytest.fixture(scope="session")
def real_wallet_settings() -> Mapping[str, str]:
    """Settings of the service for ``real_wallet``. Define a fixture of this name to give others."""
    return {}


@pytest.fixture(scope="session")
def real_wallet(real_wallet_settings: Mapping[str, str]) -> Iterator[RealWallet]:
    """The real service, started once for all tests of the process: give each test a new user_id."""
    with RealWallet(real_wallet_settings) as wallet:
        yield wallet

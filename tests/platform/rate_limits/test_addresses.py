"""The address of a request: of its connection, or what trusted proxies say."""

import pytest
from starlette.types import Scope
from support.settings import make_settings

from wallet_service.core.settings import SettingsError
from wallet_service.platform.rate_limits.addresses import MOST_HOPS, address_of
from wallet_service.platform.rate_limits.settings import RateLimitSettings

PROXIES = "10.0.0.0/8, 192.0.2.7, 2001:db8:f::/48"


def asked(peer: str | None, *forwarded: str) -> Scope:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"type": "http", "client": (peer, 5000) if peer is not None else None, "headers": headers}


def address(scope: Scope, proxies: str = PROXIES) -> str:
    return address_of(scope, make_settings(trusted_proxies=proxies)[RateLimitSettings].trusted_proxies)


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        (asked("198.51.100.9"), "198.51.100.9"),
        (asked("198.51.100.9", "203.0.113.5"), "198.51.100.9"),  # not a trusted proxy
        (asked("10.0.0.1"), "10.0.0.1"),
        (asked("10.0.0.1", "203.0.113.5"), "203.0.113.5"),
        (asked("192.0.2.7", "203.0.113.5"), "203.0.113.5"),
        (asked("192.0.2.8", "203.0.113.5"), "192.0.2.8"),
        (asked("10.0.0.1", "8.8.8.8, 203.0.113.5"), "203.0.113.5"),  # the caller wrote 8.8.8.8
        (asked("10.0.0.1", "8.8.8.8", "203.0.113.5"), "203.0.113.5"),  # as one header, or as two
        (asked("10.0.0.1", "8.8.8.8, 203.0.113.5, 10.9.9.9, 192.0.2.7"), "203.0.113.5"),
        (asked("10.0.0.1", "10.0.0.3,10.0.0.2"), "10.0.0.3"),  # from within
        (asked("10.0.0.1", "203.0.113.5:4711"), "203.0.113.5"),
        (asked("10.0.0.1", "[2001:db8:1:2::5]:443"), "2001:db8:1:2::/64"),
        (asked("10.0.0.1", "8.8.8.8, unknown"), "10.0.0.1"),
        (asked("10.0.0.1", "8.8.8.8, \xff"), "10.0.0.1"),
        (asked("10.0.0.1", "8.8.8.8,"), "10.0.0.1"),
        (asked("10.0.0.1", ""), "10.0.0.1"),
        (asked("10.0.0.1", ", ".join(["8.8.8.8"] + ["10.0.0.9"] * MOST_HOPS)), "10.0.0.9"),
        (asked("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64"),
        (asked("2001:db8:1:2:ffff::1"), "2001:db8:1:2::/64"),
        (asked("2001:db8:1:3::1"), "2001:db8:1:3::/64"),
        (asked("2001:db8:f::1", "2001:db8:5::1"), "2001:db8:5::/64"),
        (asked("::ffff:198.51.100.9"), "198.51.100.9"),  # IPv4 on a socket for both
        (asked("::ffff:10.0.0.1", "::ffff:203.0.113.5"), "203.0.113.5"),
        (asked("fe80::1%eth0"), "fe80::/64"),
        (asked(""), ""),
        (asked(None), ""),
    ],
)
def test_the_last_address_that_is_not_a_proxy_s(scope: Scope, found: str) -> None:
    assert address(scope) == found


def test_without_the_setting_no_header_counts() -> None:
    assert address(asked("127.0.0.1", "203.0.113.5"), "") == "127.0.0.1"


@pytest.mark.parametrize(
    "text", ["10.0.0.1/8", "proxy.example", "10.0.0.0/8 10.1.0.0/16", "0.0.0.0/0", "::/0", "1"]
)
def test_other_proxies_are_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="WALLET_TRUSTED_PROXIES should"):
        make_settings(trusted_proxies=text)

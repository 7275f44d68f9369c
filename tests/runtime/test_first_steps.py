"""What the start prints; that the block can be pasted is shown in test_cli."""

import pytest

from wallet_service.runtime.first_steps import first_steps


@pytest.mark.parametrize(
    ("host", "named", "called"),
    [
        ("127.0.0.1", "127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),  # noqa: S104  # nothing listens
        ("::", "[::]", "[::1]"),
        ("2001:db8::1", "[2001:db8::1]", "[2001:db8::1]"),
    ],
)
def test_the_block_names_an_address_that_can_be_called(host: str, named: str, called: str) -> None:
    lines = first_steps((host, 8208), "/data", "wsk_key").splitlines()
    assert lines[0] == f"The wallet service is ready on http://{named}:8208"
    assert f"export WALLET_URL=http://{called}:8208 WALLET_API_KEY=wsk_key" in lines
    assert lines[-1] == f"Documentation: http://{called}:8208/docs"


def test_a_later_start_has_no_key_to_show() -> None:
    text = first_steps(("127.0.0.1", 8208), "/data", None)
    assert "key" not in text
    assert "The data are in /data\nCtrl-C stops it\n" in text

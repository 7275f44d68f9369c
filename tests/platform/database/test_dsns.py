"""Where the database is, said without what is secret."""

import pytest

from wallet_service.platform.database.dsns import place_of


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://me:hidden@db.example:6543/wallet?sslmode=require", "wallet on db.example:6543"),
        ("postgres://db.example", "(default) on db.example"),
        ("postgresql://me:hidden@/wallet?host=/run/postgresql&password=hidden", "wallet on /run/postgresql"),
        ("postgresql:///wallet", "wallet on (default)"),
        ("postgresql://me:hi@dden@one:1,two:2/wallet", "wallet on one:1,two:2"),
        ("postgresql://me:1hidden/2@db.example/wallet", "of the address"),
        ("postgresql://me:1?hidden@db.example/wallet", "of the address"),
        ("postgresql://me:1#hidden@db.example/wallet", "of the address"),
    ],
)
def test_a_place_names_what_an_operator_looks_for(url: str, place: str) -> None:
    assert place_of(url) == f"database {place}"

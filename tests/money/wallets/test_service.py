import pytest

from wallet_service.core.errors import ValidationFailed
from wallet_service.money.wallets.service import version_of


@pytest.mark.parametrize(
    ("if_match", "version"),
    [
        (None, None),
        ("*", None),
        ('"7.12"', 7),
        ('W/"7.12"', 7),
        ('"123456789012345678.1"', 123456789012345678),
    ],
)
def test_the_version_is_before_the_dot(if_match: str | None, version: int | None) -> None:
    assert version_of(if_match) == version


@pytest.mark.parametrize("if_match", ["", "x", '"x.1"', '"-1.1"', '"\u0667.1"', f'"{2**63}.1"', '"1e3.0"'])
def test_what_is_no_etag_is_refused(if_match: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        version_of(if_match)
    (error,) = refused.value.facts["errors"]
    assert (error["in"], error["pointer"], error["code"]) == ("header", "/If-Match", "etag_invalid")

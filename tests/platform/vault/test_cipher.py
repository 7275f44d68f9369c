import base64
import json

import pytest

from wallet_service.platform.vault import cipher
from wallet_service.platform.vault.cipher import SealedValueInvalid
from wallet_service.platform.vault.keys import Key, generate_key, parse_keys
from wallet_service.platform.vault.problems import VaultUnavailable
from wallet_service.platform.vault.service import Vault

ROW = "0199d0a8-0000-7000-8000-0000000000aa"
OTHER_ROW = "0199d0a8-0000-7000-8000-0000000000ab"
TEXT = '{"api_key":"key-1","api_secret":"secret-1"}'
K1 = Key("k1", bytes(range(32)))
K2 = Key("k2", bytes(range(32, 64)))
NONCE = bytes(range(12))
CIPHERTEXT = bytes.fromhex(
    "3c20b76bacbaa97ef463ada9da8c0140b2f4ab16910b36234b0286f7781d22882363cb9fdda466b54586029f4c40d87ffa9a86ac9e2138434ddd90"
)


def test_the_published_vector() -> None:
    assert cipher.encrypt(K1, NONCE, "credentials", ROW, TEXT.encode()) == CIPHERTEXT
    sealed = f"1.k1.{base64.urlsafe_b64encode(NONCE + CIPHERTEXT).rstrip(b'=').decode()}"
    assert Vault([K1]).open("credentials", ROW, sealed) == TEXT


def test_a_value_opens_in_its_row_and_with_any_key_of_the_ring() -> None:
    sealed = Vault([K1]).seal("credentials", ROW, TEXT)
    assert sealed.startswith("1.k1.")
    assert Vault([K2, K1]).open("credentials", ROW, sealed) == TEXT
    assert Vault([K2, K1]).seal("credentials", ROW, TEXT).startswith("1.k2.")


def test_each_value_has_a_nonce_of_its_own() -> None:
    vault = Vault([K1])
    assert len({vault.seal("credentials", ROW, TEXT)[: len("1.k1.") + 16] for _ in range(100)}) == 100


def changed(sealed: str, place: int) -> str:
    other = "A" if sealed[place] != "A" else "B"
    return sealed[:place] + other + sealed[place + 1 :]


@pytest.mark.parametrize("place", [5, 30, 70], ids=["nonce", "ciphertext", "tag"])
def test_a_changed_value_does_not_open(place: int) -> None:
    vault = Vault([K1])
    with pytest.raises(SealedValueInvalid):
        vault.open("credentials", ROW, changed(vault.seal("credentials", ROW, TEXT), place))


@pytest.mark.parametrize(
    ("room", "row_id"), [("credentials", OTHER_ROW), ("files", ROW), ("credentials", f"{ROW}\0")]
)
def test_a_value_that_was_copied_does_not_open(room: str, row_id: str) -> None:
    vault = Vault([K1])
    with pytest.raises(SealedValueInvalid, match=r"does not open with key k1$"):
        vault.open(room, row_id, vault.seal("credentials", ROW, TEXT))


def test_a_value_under_the_id_of_another_key_does_not_open() -> None:
    sealed = Vault([K1]).seal("credentials", ROW, TEXT)
    with pytest.raises(SealedValueInvalid):
        Vault([K1, K2]).open("credentials", ROW, sealed.replace("1.k1.", "1.k2."))
    with pytest.raises(SealedValueInvalid):
        Vault([Key("k1", K2.secret)]).open("credentials", ROW, sealed)


@pytest.mark.parametrize(
    "value", ["", TEXT, "1.k1", "2.k1.AAAA", "1..AAAA", "1.k1.", "1.k1.AAAA", "1.k1.!", "1.k1.é"]
)
def test_what_is_not_a_sealed_value_is_refused_without_its_text(value: str) -> None:
    with pytest.raises(SealedValueInvalid) as caught:
        Vault([K1]).open("credentials", ROW, value)
    assert "secret" not in str(caught.value)


def test_without_the_key_the_vault_is_unavailable() -> None:
    sealed = Vault([K1]).seal("credentials", ROW, TEXT)
    with pytest.raises(VaultUnavailable, match="WALLET_CREDENTIAL_KEYS"):
        Vault([]).seal("credentials", ROW, TEXT)
    with pytest.raises(VaultUnavailable) as caught:
        Vault([K2]).open("credentials", ROW, sealed)
    assert caught.value.facts == {"key_id": "k1"}


def test_keys_are_read_in_the_order_of_the_setting() -> None:
    first, second = generate_key("new"), generate_key()
    keys = parse_keys(f"{first}, {second}")
    assert [key.key_id for key in keys] == ["new", second.partition(":")[0]]
    assert base64.b64encode(keys[0].secret).decode() == first.partition(":")[2]
    assert first.partition(":")[2] not in repr(keys)


SHORT, GOOD = base64.b64encode(b"short").decode(), base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    ["", "k1", f"{GOOD}", f"k1:{SHORT}", f"k.1:{GOOD}", f"k1:{GOOD},", f"k1:{GOOD},k1:{GOOD}", "k1:secret!"],
)
def test_keys_that_are_not_are_refused_without_their_text(text: str) -> None:
    with pytest.raises(ValueError, match="should") as caught:
        parse_keys(text)
    assert "secret" not in str(caught.value)
    assert json.dumps(GOOD) not in str(caught.value)

from bench.ids import wallet_id
from bench.pgbench import script


def test_the_script_names_wallets_as_they_were_loaded() -> None:
    text = script(10_000, hot=False)
    assert text.startswith("\\set wallet random(0, 9999)\n")
    assert "$" not in text
    assert script(10_000, hot=True).startswith("\\set wallet random(0, 0)\n")


def test_ids_are_those_of_uuidv7() -> None:
    assert wallet_id(0) == "01900000-0000-7000-8000-000000000000"
    assert wallet_id(65_536) == "01900001-0000-7000-8000-000000000000"

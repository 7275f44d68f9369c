"""The tables in docs are those of the declarations."""

from contract.tables import TABLES, pages


async def test_every_table_is_as_declared() -> None:
    found = await pages()
    assert [name for name, (is_now, should_be) in found.items() if is_now != should_be] == [], (
        "run scripts/openapi"
    )


async def test_every_table_is_in_a_page() -> None:
    text = "".join(is_now for is_now, _ in (await pages()).values())
    assert [name for name in [*TABLES, "metrics"] if f"<!-- table: {name} -->" not in text] == []

"""openapi.json in the clone is what the application says of itself."""

from support.api import Api

from contract.breaking import breaking_changes
from contract.document import OPENAPI, committed, current, text
from wallet_service import __version__

LARGEST_OPERATION = 8_000
"""In bytes, as the committed file has it."""


def test_the_committed_document_is_the_application_s() -> None:
    document = current()
    changes = breaking_changes(committed(), document)
    told = "\n".join(["", *(f"breaking: {change}" for change in changes)]) or "none breaks a client"
    assert OPENAPI.read_text(encoding="utf-8") == text(document), (
        f"openapi.json is another than the application's; scripts/openapi writes it. Changes: {told}"
    )


def test_an_operation_is_small_because_what_repeats_is_shared() -> None:
    sizes = {
        f"{method.upper()} {path}": len(text(operation).encode())
        for path, methods in committed()["paths"].items()
        for method, operation in methods.items()
    }
    assert {name: size for name, size in sizes.items() if size > LARGEST_OPERATION} == {}


async def test_its_version_is_the_one_that_health_reports(api: Api) -> None:
    health = (await api.http.get("/health")).json()
    assert health["version"] == committed()["info"]["version"] == __version__

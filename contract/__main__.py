"""Writes the generated files: ``python -m contract [--breaking]``. scripts/openapi calls it."""

import argparse
import asyncio
import sys

from contract.breaking import breaking_changes
from contract.document import OPENAPI, ROOT, committed, current, text
from contract.postman.collection import COLLECTION, collection
from contract.tables import pages


def main() -> int:
    """Write openapi.json, the Postman collection and the tables in docs, unless clients would break."""
    parser = argparse.ArgumentParser(prog="scripts/openapi", description=main.__doc__)
    parser.add_argument("--breaking", action="store_true", help="write the files even if clients would break")
    allowed = parser.parse_args().breaking
    document = current()
    changes = breaking_changes(committed(), document) if OPENAPI.exists() else []
    for change in changes:
        print(f"breaking: {change}", file=sys.stderr)  # noqa: T201 - the output of a command
    if changes and not allowed:
        print("Nothing was written. To write it all the same, give --breaking", file=sys.stderr)  # noqa: T201 - the same
        return 1
    OPENAPI.write_text(text(document), encoding="utf-8")
    COLLECTION.write_text(text(collection(document)), encoding="utf-8")
    for name, (_, page) in asyncio.run(pages()).items():
        (ROOT / name).write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

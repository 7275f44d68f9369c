"""Measures the ledger next to a floor, an ordinary repository and an empty endpoint, in one run on one machine."""

import sys
from pathlib import Path

# Servers are started by the tests' helpers, and the client library is measured from its source here.
_ROOT = Path(__file__).parent.parent
for _folder in (_ROOT / "tests", _ROOT / "clients" / "python" / "src"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

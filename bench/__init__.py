"""Measures the ledger beside a floor, an ordinary repository and an empty endpoint, in one run on one machine."""

import sys
from pathlib import Path

# Servers are started as the tests do it, and the client is measured as it stands here.
_ROOT = Path(__file__).parent.parent
for _folder in (_ROOT / "tests", _ROOT / "clients" / "python" / "src"):
    if str(_folder) not in sys.path:
        sys.path.append(str(_folder))

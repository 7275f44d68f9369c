"""Measures the ledger beside a floor, an ordinary repository and an empty endpoint, in one run on one machine."""

import sys
from pathlib import Path

# A Supabase project is started as the tests do it.
_TESTS = str(Path(__file__).parent.parent / "tests")
if _TESTS not in sys.path:
    sys.path.append(_TESTS)

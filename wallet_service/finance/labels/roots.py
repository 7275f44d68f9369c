"""The roots of categories, which say what their parts are."""

from typing import Literal

Root = Literal["income", "expense", "transfer"]

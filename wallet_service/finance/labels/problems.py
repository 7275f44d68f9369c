"""Problems of labels. SQL uses the same codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

from wallet_service.core.errors import WalletError

_ID = "0199d0a8-0000-7000-8000-00000000c001"
_OTHER = "0199d0a8-0000-7000-8000-00000000c002"


class LabelNotFound(WalletError):
    """The category, payee or tag does not exist, or is of a book that the caller may not see."""

    code, status, title = "label_not_found", 404, "Label not found"
    details = ("There is no {label_id} of this kind in the book, or the caller may not see it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"label_id": _ID}


class LabelExists(WalletError):
    """Another label under the same parent has the name, whatever its capitals."""

    code, status, title = "label_exists", 409, "Label exists"
    details = ("{label_id} has this name under the same parent: use it, or choose another name",)
    example_facts: ClassVar[Mapping[str, Any]] = {"label_id": _OTHER}


class LabelCycle(WalletError):
    """After the change, the label would be under itself."""

    code, status, title = "label_cycle", 409, "Label would be under itself"
    details = ("{label_id} can't be moved or merged under itself, nor come back where it now is above",)
    example_facts: ClassVar[Mapping[str, Any]] = {"label_id": _ID}


class LabelDepth(WalletError):
    """After the change, the tree would have more levels than it may."""

    code, status, title = "label_depth", 409, "Too many levels of labels"
    details = ("The tree would have {depth} levels, and {limit} are the most",)
    example_facts: ClassVar[Mapping[str, Any]] = {"label_id": _ID, "depth": 7, "limit": 6}


class LabelFixed(WalletError):
    """The category is a root: Income, Expense or Transfer."""

    code, status, title = "label_fixed", 409, "Roots of categories are fixed"
    details = ("{label_id} is a root of categories, which says what its parts are, and can't be changed",)
    example_facts: ClassVar[Mapping[str, Any]] = {"label_id": _ID}


class LabelMerged(WalletError):
    """The label was merged into another, and is changed only after that was taken back."""

    code, status, title = "label_merged", 409, "Label was merged"
    details = ("{label_id} was merged into {merged_into}: change that one, or take the merge back first",)
    example_facts: ClassVar[Mapping[str, Any]] = {"label_id": _ID, "merged_into": _OTHER}


class LabelInUse(WalletError):
    """Something uses the label: ``uses`` counts what."""

    code, status, title = "label_in_use", 409, "Label is in use"
    details = ("{label_id} is in use: merge it into another one, or archive it",)
    example_facts: ClassVar[Mapping[str, Any]] = {"label_id": _ID, "uses": {"children": 2, "merges": 0}}

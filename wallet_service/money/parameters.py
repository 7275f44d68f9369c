"""Parameters of paths that several rooms share."""

from typing import Annotated
from uuid import UUID

from fastapi import Path

from wallet_service.core.fields import Line

WalletInPath = Annotated[UUID, Path(description="The wallet's id.")]
"""Parameter type ``wallet_id: WalletInPath``."""

TransactionInPath = Annotated[UUID, Path(description="The transaction's id.")]
"""Parameter type ``transaction_id: TransactionInPath``."""

UserInPath = Annotated[
    Line,
    Path(description="The user's id, as in `user_id` of a wallet. Special characters are percent-encoded."),
]
"""Parameter type ``user_id: UserInPath``."""

"""Problems of the sample room."""

from wallet_service.core.errors import WalletError


class NoteTooLong(WalletError):
    """The note has more characters than the setting allows."""

    code, status, title = "note_too_long", 422, "Note is too long"

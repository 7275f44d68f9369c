"""The vault: seals values with the first key of the ring, and opens those of every key."""

from collections.abc import Sequence

from wallet_service.platform.vault import cipher
from wallet_service.platform.vault.keys import Key, parse_keys
from wallet_service.platform.vault.metrics import VaultMetrics
from wallet_service.platform.vault.problems import VaultUnavailable
from wallet_service.platform.vault.settings import VaultSettings


class Vault:
    """A key ring.

    Sealing and opening take microseconds for a short value, and half a millisecond for 256 KiB: callers split what is
    larger, because it runs on the event loop.

    Args:
        keys: the first one seals; with none, every use is refused.
        metrics: counts values.
    """

    def __init__(self, keys: Sequence[Key], metrics: VaultMetrics | None = None) -> None:
        self._keys = {key.key_id: key for key in keys}
        self._first = keys[0] if keys else None
        self._metrics = metrics or VaultMetrics()

    @classmethod
    def from_settings(cls, settings: VaultSettings, metrics: VaultMetrics | None = None) -> "Vault":
        """The vault with the keys of the settings, which may have none."""
        keys = parse_keys(settings.keys.get_secret_value()) if settings.keys is not None else ()
        return cls(keys, metrics)

    @property
    def key_ids(self) -> Sequence[str]:
        """The ids of the keys; the first one seals."""
        return tuple(self._keys)

    def require(self) -> Key:
        """The key that seals. A room that will need it asks before it begins.

        Raises:
            VaultUnavailable: there is no key.
        """
        if self._first is None:
            self._metrics.count("seal", "unavailable")
            raise VaultUnavailable("The vault has no key: set WALLET_CREDENTIAL_KEYS")
        return self._first

    def seal(self, room: str, row_id: str, text: str) -> str:
        """The text, sealed for this row of the room.

        Args:
            room: ``ROOM.name`` of its declaration, by which ``credentials rotate`` opens the value; values of another
                room with the same row id do not open.
            row_id: unique in the room, and the same as long as the row exists.
            text: what is secret.

        Raises:
            VaultUnavailable: there is no key.
        """
        return self.seal_bytes(room, row_id, text.encode())

    def open(self, room: str, row_id: str, sealed: str) -> str:
        """The text that was sealed for this row of the room.

        Raises:
            VaultUnavailable: there is no key, or not that of the value.
            SealedValueInvalid: it was changed, belongs to another row, or is not a sealed value.
        """
        return self.open_bytes(room, row_id, sealed).decode()

    def seal_bytes(self, room: str, row_id: str, value: bytes) -> str:
        """As ``seal``, for bytes."""
        sealed = cipher.seal(self.require(), room, row_id, value)
        self._metrics.count("seal", "done")
        return sealed

    def open_bytes(self, room: str, row_id: str, sealed: str) -> bytes:
        """As ``open``, for bytes."""
        try:
            key_id, encoded = cipher.split(room, row_id, sealed)
            key = self._keys.get(key_id)
            if key is None:
                self._metrics.count("open", "unavailable")
                raise VaultUnavailable(f"The vault does not have the key {key_id[:32]}", key_id=key_id[:32])
            value = cipher.open_sealed(key, room, row_id, encoded)
        except cipher.SealedValueInvalid:
            self._metrics.count("open", "invalid")
            raise
        self._metrics.count("open", "done")
        return value

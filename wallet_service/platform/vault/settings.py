"""The keys of the vault."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings
from wallet_service.platform.vault.keys import parse_keys


class VaultSettings(RoomSettings):
    """The key ring, from the environment or a file."""

    model_config = SettingsConfigDict(env_prefix="WALLET_CREDENTIAL_")

    keys: SecretStr | None = Field(
        default=None,
        description="the [vault](vault.md)'s keys, `id:base64` with commas between them: the first encrypts, all "
        "decrypt. `wallet-service credentials generate-key` prints one. `scripts/run` creates one in the data "
        "folder while the embedded database is used. Not set: what needs the vault is refused with 503 "
        "`vault_unavailable`",
    )

    @field_validator("keys")
    @classmethod
    def _key_ring(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            parse_keys(keys.get_secret_value())
        return keys

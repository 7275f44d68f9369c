"""Settings of top-ups."""

import base64
import binascii
from typing import Annotated, Final

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings

PREFIX: Final = "whsec_"
SHORTEST_BYTES: Final = 24


def _require_secret(text: str) -> None:
    encoded = text.removeprefix(PREFIX)
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        key = b""
    if encoded == text or len(key) < SHORTEST_BYTES:
        raise ValueError(f"should be {PREFIX} and at least {SHORTEST_BYTES} bytes in base64")


class TopUpsSettings(RoomSettings):
    """Where notices of payments come from, and what a rule has that names no limits of its own."""

    model_config = SettingsConfigDict(env_prefix="WALLET_TOP_UPS_")

    payment_events_secret: SecretStr | None = Field(
        default=None,
        description="secret with which the payment service signs its "
        "[notices](top-ups.md#notices-of-the-payment-service): `whsec_` and at least 24 bytes in base64; while it is "
        "replaced, the new one and the old one with a comma between them. Without it, no notice is taken",
    )
    max_charges: Annotated[int, Field(ge=1, le=100)] = Field(
        default=5, description="most charges of one rule in its window, unless the rule says otherwise"
    )
    window_s: Annotated[int, Field(ge=60, le=31_622_400)] = Field(
        default=86_400, description="seconds of that window, unless the rule says otherwise"
    )
    max_declines: Annotated[int, Field(ge=1, le=100)] = Field(
        default=3,
        description="declined charges in a row after which a rule pauses until it is set again, unless it says otherwise",
    )
    backoff_s: Annotated[int, Field(ge=1, le=86_400)] = Field(
        default=3_600,
        description="seconds for which a rule pauses after a declined charge, unless it says otherwise; they double with "
        "each further one, up to a day",
    )

    @field_validator("payment_events_secret")
    @classmethod
    def _secrets(cls, secret: SecretStr | None) -> SecretStr | None:
        for each in secrets_of(secret):
            _require_secret(each)
        return secret


def secrets_of(setting: SecretStr | None) -> tuple[str, ...]:
    """The secrets of a setting, by any of which a notice may be signed."""
    text = "" if setting is None else setting.get_secret_value()
    return tuple(each.strip() for each in text.split(",") if each.strip())

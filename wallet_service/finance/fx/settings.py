"""Settings of exchange rates and conversions."""

from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from wallet_service.core.settings import RoomSettings


class FxSettings(RoomSettings):
    """Which rates count, where they come from, and whether the service itself converts money."""

    model_config = SettingsConfigDict(env_prefix="WALLET_FX_")

    max_age_days: Annotated[int, Field(ge=0, le=366)] = Field(
        default=5, description="by how many days a rate may be older than the day that it is used for"
    )
    stale_age_days: Annotated[int, Field(ge=0, le=366)] = Field(
        default=45,
        description="by how many days a rate may be older than today while no newer one has come; figures that use it "
        "are marked as stale",
    )
    spread_bps: Annotated[int, Field(ge=0, le=5000)] = Field(
        default=0, description="what conversions keep of an amount, in hundredths of a percent"
    )
    convert: bool = Field(
        default=False,
        description="whether money of operating wallets can be converted: by rates of the last day, so a caller that "
        "sees today's rates can gain from it. Mirrored wallets always can",
    )
    max_age_h: Annotated[int, Field(ge=0, le=8784)] = Field(
        default=72,
        description="hours after the end of its day (in UTC) for which a rate may price money of operating wallets, and "
        "quotes",
    )
    quote_s: Annotated[int, Field(ge=1, le=3600)] = Field(
        default=60, description="seconds for which a quote holds"
    )
    history: bool = Field(
        default=True,
        description="whether a worker stores the history of the European Central Bank that comes with the package, once",
    )
    url: SecretStr | None = Field(
        default=None,
        description="a provider of daily rates of the euro: an `http` or `https` URL with the XML or CSV of the European "
        "Central Bank, also zipped. It may have a secret",
    )

    @model_validator(mode="after")
    def _is_url(self) -> Self:
        if self.url is not None and not self.url.get_secret_value().startswith(("http://", "https://")):
            raise ValueError("WALLET_FX_URL should begin with http:// or https://")
        return self

    def defaults(self) -> dict[str, Any]:
        """What the kernel needs to know of the settings to decide a conversion."""
        return {"spread_bps": self.spread_bps, "is_on": self.convert, "max_age_h": self.max_age_h}

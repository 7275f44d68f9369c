"""Requests and responses of the test clock."""

from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import Timestamp

_DECADE_S = 10 * 366 * 24 * 3600


class TestClockRequest(BaseModel):
    """A moment to which the clock is set, or seconds by which it advances."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"moment": "2030-01-01T00:00:00Z"}, {"advance_s": 86400}]},
    )

    moment: Timestamp | None = Field(
        default=None,
        description="The moment that the clock has from now on; it goes on from there. Never an earlier one.",
    )
    advance_s: Annotated[int, Field(strict=True, ge=1, le=_DECADE_S)] | None = Field(
        default=None, description="Seconds by which the clock advances."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.moment is None) == (self.advance_s is None):
            raise PydanticCustomError("test_clock_ambiguous", "give either moment or advance_s")
        return self


class TestClock(BaseModel):
    """The ledger's clock."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"moment": "2030-01-01T00:00:00.000000Z", "is_set": True}]}
    )

    moment: AwareDatetime = Field(description="What the clock shows.")
    is_set: bool = Field(description="Whether it was set; otherwise it shows the real time.")

"""What events and the audit trail have of a rotation."""

from pydantic import BaseModel, Field


class RotatedCredentials(BaseModel):
    """What a rotation did with the sealed values of a room. The values and keys are not in it."""

    room: str = Field(description="The room that stores the values.")
    key_id: str = Field(description="The id of the key with which the values are sealed now.")
    sealed: int = Field(description="The number of values that were sealed.")
    faults: int = Field(description="The number of values that did not open and are unchanged.")

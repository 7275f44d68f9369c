"""Requests and responses of changes of many entries, and of the runs that they are."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from wallet_service.core.fields import Day, Line, UserId, whole
from wallet_service.finance.parts.schemas import (
    ENTRY_PARTS,
    EXAMPLE_CATEGORY,
    EXAMPLE_RUN,
    EXAMPLE_UNDO_RUN,
    EXAMPLE_WALLET,
    MOST_CHANGES,
    MOST_PARTS,
    EntryParts,
    Etag,
    GivenParts,
    PartChanges,
    Version,
)


class BulkChange(BaseModel):
    """A change of the parts of one entry: to all that they are to be, or of some members of each."""

    model_config = ConfigDict(extra="forbid")

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: Version = Field(description="The number of the entry within its wallet.")
    etag: Etag | None = Field(
        default=None, description="Change them only if this is still their `etag`. Default: whatever it is."
    )
    booked_on: Day | None = Field(
        default=None, description="The day on which the entry counts. Default: it stays."
    )
    parts: GivenParts | None = Field(
        default=None, description="The parts as they are to be, at most 100. They sum to the entry."
    )
    changes: PartChanges | None = Field(default=None, description="Instead, what changes of its parts.")
    part: Annotated[int, Field(ge=0, lt=MOST_PARTS), BeforeValidator(whole)] | None = Field(
        default=None, description="With `changes`, the number of the only part that changes. Default: each."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.parts is not None and (self.changes is not None or self.part is not None):
            raise PydanticCustomError("change_ambiguous", "give either parts, or changes")
        return self

    def change(self) -> dict[str, Any]:
        """The change as the database function takes it."""
        named = {"wallet_id", "wallet_version", "etag", "booked_on", "parts", "part"}
        found = self.model_dump(mode="json", include=named, exclude_none=True)
        if self.changes is not None:
            found["changes"] = self.changes.model_dump(mode="json", include=self.changes.model_fields_set)
        return found


class BulkRequest(BaseModel):
    """Changes of the parts of several entries of a book. They are one run."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user-42",
                    "changes": [
                        {
                            "wallet_id": EXAMPLE_WALLET,
                            "wallet_version": 2,
                            "changes": {"category_id": EXAMPLE_CATEGORY},
                        }
                    ],
                }
            ]
        },
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    changes: Annotated[list[BulkChange], Field(min_length=1, max_length=MOST_CHANGES)] = Field(
        description="At most 500, each of another entry. They have at most 2,000 parts together."
    )

    @model_validator(mode="after")
    def _entries_once(self) -> Self:
        if len({(each.wallet_id, each.wallet_version) for each in self.changes}) < len(self.changes):
            raise PydanticCustomError("entries_repeated", "an entry is changed once in a request")
        return self


class BulkChanged(BaseModel):
    """A change that stands."""

    status: Literal["changed", "unchanged"] = Field(description="`unchanged`: the parts were so already.")
    entry: EntryParts = Field(description="The entry with its parts.")


class BulkRefused(BaseModel):
    """A change that was refused. The others stand."""

    status: Literal["refused"] = Field(description="The parts are as before.")
    problem: dict[str, Any] = Field(description="The problem document that a single request would get.")


class BulkAnswer(BaseModel):
    """The outcomes in the order of the changes."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"run_id": EXAMPLE_RUN, "results": [{"status": "changed", "entry": ENTRY_PARTS}]}]
        }
    )

    run_id: UUID | None = Field(description="The run, by which it is taken back; null: nothing changed.")
    results: list[BulkChanged | BulkRefused] = Field(description="The outcome of each change.")


class EntryName(BaseModel):
    """An entry of a wallet."""

    wallet_id: UUID = Field(description="The wallet.")
    wallet_version: int = Field(description="The number of the entry within its wallet.")


class Undone(BaseModel):
    """What taking a run back came to."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"run_id": EXAMPLE_RUN, "undo_run_id": EXAMPLE_UNDO_RUN, "restored": 1, "kept": []}]
        }
    )

    run_id: UUID = Field(description="The run that was taken back.")
    undo_run_id: UUID = Field(description="The run that took it back, by which that is taken back itself.")
    restored: int = Field(description="How many entries have the parts again that they had before.")
    kept: list[EntryName] = Field(
        description="Entries whose parts were changed after the run, and were left as they are; the first 1,000."
    )


class Run(BaseModel):
    """A change of parts that can be taken back as a whole."""

    run_id: UUID = Field(description="The run.")
    book_id: UUID = Field(description="The book.")
    kind: str = Field(description="What changed: `edit`, `bulk`, `rules`, `redate`, `pair`, `undo`.")
    actor: str = Field(description="Who made it.")
    created_at: AwareDatetime = Field(description="When it was made.")
    undo_run_id: UUID | None = Field(description="The run that took it back; null: none did.")
    undone_at: AwareDatetime | None = Field(description="When it was taken back; null: it was not.")

"""Requests and responses of labels."""

from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StrictBool, StringConstraints

from wallet_service.core.fields import NO_CONTROL, Line, UserId
from wallet_service.finance.labels.roots import Root
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit
from wallet_service.platform.web.query import BoolInQuery

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROL)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$"), Field(examples=["#2a9d8f"])]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=NO_CONTROL)]

LabelKind = Literal["category", "payee", "tag"]

_TIME = "2026-01-02T03:04:05.678901Z"
LABEL: dict[str, Any] = {
    "label_id": "0199d0a8-0000-7000-8000-00000000c001",
    "book_id": "0199d0a8-0000-7000-8000-00000000b001",
    "kind": "category",
    "name": "Bakery",
    "parent_id": "0199d0a8-0000-7000-8000-00000000c002",
    "merged_into": None,
    "root": "expense",
    "color": "#2a9d8f",
    "icon": "bread",
    "system_key": None,
    "tax_code": None,
    "archived_at": None,
    "version": 1,
    "created_at": _TIME,
    "updated_at": _TIME,
}

_BARE: dict[str, Any] = dict.fromkeys(("parent_id", "root", "color", "icon"))
EXAMPLES: dict[LabelKind, dict[str, Any]] = {
    "category": LABEL,
    "payee": LABEL | _BARE | {"kind": "payee", "name": "Corner Bakery"},
    "tag": LABEL | _BARE | {"kind": "tag", "name": "holiday"},
}

_NAME = "Shown to people. Labels of one parent have different names, whatever their capitals."
_PARENT = "The level above, of the same kind. A category has one; payees and tags may. A tree has at most six levels."
_COLOR = "For programs that show it: `#` and six hexadecimal digits."
_ICON = "For programs that show it: a name or a character of their own."
_ARCHIVED = "Whether it is no longer offered for new entries. What has it, keeps it."
_TAX_CODE = "What the tax office or an accountant calls it. Only of categories."


class LabelCreate(BaseModel):
    """A new payee or tag."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user_id": "user-42", "name": "Corner Bakery"}]}
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book gets it. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book gets it."
    )
    name: Name = Field(description=_NAME)
    parent_id: UUID | None = Field(default=None, description=_PARENT)
    color: Color | None = Field(default=None, description=_COLOR)
    icon: Word | None = Field(default=None, description=_ICON)


class CategoryCreate(BaseModel):
    """A new category."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "user_id": "user-42",
                    "name": LABEL["name"],
                    "parent_id": LABEL["parent_id"],
                    "color": LABEL["color"],
                    "icon": LABEL["icon"],
                }
            ]
        },
    )

    user_id: UserId | None = Field(
        default=None, description="The user whose book gets it. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book gets it."
    )
    name: Name = Field(description=_NAME)
    parent_id: UUID = Field(description=_PARENT)
    color: Color | None = Field(default=None, description=_COLOR)
    icon: Word | None = Field(default=None, description=_ICON)
    tax_code: Word | None = Field(default=None, description=_TAX_CODE)


class LabelPatch(BaseModel):
    """A merge patch (RFC 7396) of a payee or tag. Absent members stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"archived": True}]})

    # model_fields_set shows which members are absent. A factory keeps a default that is never used out of OpenAPI.
    name: Name = Field(default_factory=str, description=_NAME)
    parent_id: UUID | None = Field(default_factory=lambda: None, description=_PARENT)
    color: Color | None = Field(default_factory=lambda: None, description=_COLOR)
    icon: Word | None = Field(default_factory=lambda: None, description=_ICON)
    archived: StrictBool = Field(default_factory=bool, description=_ARCHIVED)


class CategoryPatch(BaseModel):
    """A merge patch (RFC 7396) of a category. Absent members stay."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "Bread"}]})

    name: Name = Field(default_factory=str, description=_NAME)
    parent_id: UUID = Field(default_factory=uuid4, description=_PARENT)
    color: Color | None = Field(default_factory=lambda: None, description=_COLOR)
    icon: Word | None = Field(default_factory=lambda: None, description=_ICON)
    tax_code: Word | None = Field(default_factory=lambda: None, description=_TAX_CODE)
    archived: StrictBool = Field(default_factory=bool, description=_ARCHIVED)


class LabelMerge(BaseModel):
    """Into which label another one is merged."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"into": LABEL["parent_id"]}]})

    into: UUID = Field(description="A label of the same book and kind.")


class Label(BaseModel):
    """A category, payee or tag of a book."""

    model_config = ConfigDict(json_schema_extra={"examples": [LABEL]})

    label_id: UUID = Field(description="Its id, a UUIDv7.")
    book_id: UUID = Field(description="The book.")
    kind: LabelKind = Field(description="What it is.")
    name: str = Field(description=_NAME)
    parent_id: UUID | None = Field(
        description="The level above; null: none. If that was merged, the one that it was merged into."
    )
    merged_into: UUID | None = Field(
        description="Readers take this label instead, also for what was labelled before; null: it was not merged."
    )
    root: Root | None = Field(
        description="Of a category: what its parts are, by the root that it is under. Null for payees and tags."
    )
    color: str | None = Field(description=_COLOR)
    icon: str | None = Field(description=_ICON)
    system_key: str | None = Field(
        description="Of a category that each new book has: what the service calls it, whatever its name."
    )
    tax_code: str | None = Field(description=_TAX_CODE)
    archived_at: AwareDatetime | None = Field(
        description="Since when it is no longer offered for new entries; null: it is."
    )
    version: int = Field(description="Counts its changes, from 1. `If-Match` compares it.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When it was last changed.")


class LabelPage(BaseModel):
    """Labels of a book, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [LABEL], "next_cursor": None}]})

    items: list[Label] = Field(description="The labels.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class LabelQuery(BaseModel):
    """Which labels a list has."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line | None = Field(
        default=None, description="The user whose book it is. Default: the user of the token."
    )
    organization_id: Line | None = Field(
        default=None, description="Instead of a user, the organization whose book it is."
    )
    archived: BoolInQuery | None = Field(
        default=None, description="Only those that are archived, or are not. Default: both."
    )
    merged: BoolInQuery | None = Field(
        default=None, description="Only those that were merged into others, or were not. Default: both."
    )
    name: Name | None = Field(
        default=None, description="Only those whose name has this in it, whatever its capitals."
    )
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT

    def filters(self) -> dict[str, Any]:
        """The members by which labels of a book are selected."""
        return {"archived": self.archived, "merged": self.merged, "name": self.name}

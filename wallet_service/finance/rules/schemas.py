"""Requests and responses of rules."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError

from wallet_service.core.conditions import LONGEST_VALUE, MOST_VALUES, OPERATORS, Condition, Vocabulary
from wallet_service.core.fields import NO_CONTROL, Day, Line, Text, UserId, each_once, whole
from wallet_service.core.money import Amount, AmountText, parse_amount
from wallet_service.finance.rules.application import MOST_TAGS
from wallet_service.finance.rules.vocabulary import ID_FIELDS, VOCABULARY, RuleField
from wallet_service.platform.web.pagination import DEFAULT_LIMIT, CursorText, Limit
from wallet_service.platform.web.query import BoolInQuery

MOST_CONDITIONS: Final = 20
MOST_RULES: Final = 1000
MOST_SHARES: Final = 20
_WHOLE: Final = 100
_PERCENT_DECIMALS: Final = 4

_TIME = "2026-01-02T03:04:05.678901Z"
_CATEGORY = "0199d0a8-0000-7000-8000-00000000c001"
_OTHER_CATEGORY = "0199d0a8-0000-7000-8000-00000000c002"
_BOOK = "0199d0a8-0000-7000-8000-00000000b001"
_RULE_ID = "0199d0a8-0000-7000-8000-00000000d001"
_WALLET = "0199d0a8-0000-7000-8000-0000000000aa"
_WRITTEN: dict[str, Any] = {
    "name": "Groceries",
    "match": "all",
    "conditions": [
        {"field": "direction", "op": "is", "value": "debit"},
        {"field": "description", "op": "matches", "value": "rewe|lidl|aldi"},
    ],
    "actions": {"category_id": _CATEGORY, "note": "by rule"},
    "stop": False,
    "active": True,
}
_SPLIT: dict[str, Any] = {
    "split": [
        {"percent": "80", "category_id": _CATEGORY},
        {"remainder": True, "category_id": _OTHER_CATEGORY, "note": "household"},
    ]
}
RULE: dict[str, Any] = {
    "rule_id": _RULE_ID,
    "book_id": _BOOK,
    **_WRITTEN,
    "version": 1,
    "created_at": _TIME,
    "updated_at": _TIME,
}

_NAME = "Shown to people."
_MATCH = "Whether all conditions must hold for a part, or any one of them."
_STOP = "Whether later rules are not applied to an entry for which this one held."
_ACTIVE = "Whether it is applied to new entries by itself, and by a job that names no rules."
_CONDITIONS = "When the rule holds for a part, 1 to 20. They see what earlier rules have set."
_USER_ID = "The user whose book it is. Default: the user of the token."
_ORGANIZATION_ID = "Instead of a user, the organization whose book it is."

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=NO_CONTROL)]
_OPS = sorted({op for names in OPERATORS.values() for op in names})
_ONE: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE}


def _parse_percent(value: Any) -> str:
    fault = PydanticCustomError(
        "percent_invalid",
        "a percentage is a decimal string above 0 and at most 100, with at most 4 decimals, such as 12.5",
    )
    try:
        text = parse_amount(value)
    except PydanticCustomError:
        raise fault from None
    number = Decimal(text)
    if number > _WHOLE or number != round(number, _PERCENT_DECIMALS):
        raise fault
    return text


Percent = Annotated[
    str,
    BeforeValidator(_parse_percent),
    WithJsonSchema(
        {
            "description": "a decimal string: above 0, at most 100, with at most 4 decimals",
            "examples": ["12.5"],
            "type": "string",
            "pattern": r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)$",
            "not": {"pattern": r"^[0.]*$"},
        }
    ),
]


Tags = Annotated[
    list[UUID],
    Field(min_length=1, max_length=MOST_TAGS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(each_once),
]


class RuleCondition(Condition):
    """A condition: a field of a part or of its entry, an operator, and a value."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WRITTEN["conditions"][1]]})
    vocabulary: ClassVar[Vocabulary] = VOCABULARY

    field: RuleField = Field(  # pyright: ignore[reportIncompatibleVariableOverride]  # of the vocabulary
        description="What is compared. `amount` is without its sign; `booked_on` is the day in the book's time zone."
    )
    op: Annotated[str, WithJsonSchema({"type": "string", "enum": _OPS})] = Field(
        description="How. Texts: `is`, `in`, `contains`, `starts_with`, `ends_with`, `matches` (a regular expression of "
        "RE2); ids and words: `is`, `in`; categories: `under`, too; tags: `has`, `has_any`. Each of these has its "
        "opposite, such as `not_contains`, and all these fields `is_empty`. `amount` and `booked_on`: `is`, `gt`, "
        "`gte`, `lt`, `lte`. Texts are compared in NFKC, whatever their capitals."
    )
    value: Annotated[
        Any,
        WithJsonSchema(
            {
                "anyOf": [
                    _ONE,
                    {"type": "number"},
                    {"type": "boolean"},
                    {"type": "array", "minItems": 1, "maxItems": MOST_VALUES, "items": _ONE},
                ]
            }
        ),
    ] = Field(
        description="With what: a text, an id, a day, or an amount as a decimal string. `in` and `has_any` take a list, "
        "`is_empty` true or false."
    )


class _Sets(BaseModel):
    """What is set of a part; absent members stay."""

    model_config = ConfigDict(extra="forbid")

    # model_fields_set shows which members are absent. A factory keeps a default that is never used out of OpenAPI.
    category_id: UUID = Field(default_factory=lambda: UUID(int=0), description="A category of the book.")
    payee_id: UUID | None = Field(
        default_factory=lambda: None, description="A payee of the book. Null takes the payee away."
    )
    note: Text | None = Field(
        default_factory=lambda: None, description="The note, in place of another. Null takes it away."
    )
    add_tag_ids: Tags = Field(
        default_factory=list[UUID],
        description="Tags that are added. A part has at most 20: no more are added.",
    )


class SplitShare(_Sets):
    """A part that a split makes: `percent` or `amount` of the entry, or what remains."""

    model_config = ConfigDict(json_schema_extra={"examples": [_SPLIT["split"][0]]})

    percent: Percent = Field(default_factory=str, description="How much of the entry's amount, in percent.")
    amount: Amount = Field(
        default_factory=str,
        description="An amount in the entry's currency. Where the entry has less, it is not split.",
    )
    remainder: Literal[True] = Field(
        default_factory=lambda: True, description="What the other shares leave. One share at most is this."
    )

    @model_validator(mode="after")
    def _check_size(self) -> Self:
        if len(self.model_fields_set & {"percent", "amount", "remainder"}) != 1:
            raise PydanticCustomError("share_invalid", "a share has one of percent, amount and remainder")
        return self


class RuleActions(_Sets):
    """What a rule sets of the parts for which it holds; absent members stay."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WRITTEN["actions"], _SPLIT]})

    remove_tag_ids: Tags = Field(default_factory=list[UUID], description="Tags that are taken away.")
    split: Annotated[list[SplitShare], Field(min_length=2, max_length=MOST_SHARES)] = Field(
        default_factory=list[SplitShare],
        description="The parts into which an entry with one part is split, after the other members were set. Their "
        "percentages are 100 together, or one is the remainder. An entry that is split already stays as it is.",
    )

    @field_validator("split")
    @classmethod
    def _check_whole(cls, split: list[SplitShare]) -> list[SplitShare]:
        rests = sum("remainder" in share.model_fields_set for share in split)
        percents = sum(Decimal(share.percent) for share in split if "percent" in share.model_fields_set)
        amounts = any("amount" in share.model_fields_set for share in split)
        if rests > 1 or percents > _WHOLE or (not rests and (amounts or percents != _WHOLE)):
            raise PydanticCustomError(
                "split_invalid", "the percentages are 100 together, or one share is the remainder"
            )
        return split


class WrittenRule(BaseModel):
    """A rule as a caller writes it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_WRITTEN]})

    name: Name = Field(description=_NAME)
    match: Literal["all", "any"] = Field(default="all", description=_MATCH)
    conditions: Annotated[list[RuleCondition], Field(min_length=1, max_length=MOST_CONDITIONS)] = Field(
        description=_CONDITIONS
    )
    actions: RuleActions = Field(
        default_factory=RuleActions, description="What it sets. Without any, it stops.", validate_default=True
    )
    stop: StrictBool = Field(default=False, description=_STOP)
    active: StrictBool = Field(default=True, description=_ACTIVE)

    @model_validator(mode="after")
    def _check_effect(self) -> Self:
        if not self.actions.model_fields_set and not self.stop:
            raise PydanticCustomError("rule_without_effect", "a rule has an action, or it stops")
        return self

    def document(self) -> dict[str, Any]:
        """The rule as the database stores it, with the ids that it names."""
        written = self.model_dump(mode="json", include={"name", "match", "conditions", "stop", "active"})
        return {
            **written,
            "actions": self.actions.model_dump(mode="json", exclude_unset=True),
            **self._named(),
        }

    def under(self) -> Sequence[str]:
        """The categories whose trees its conditions name."""
        return [each.value for each in self.conditions if each.op.removeprefix("not_") == "under"]

    def _named(self) -> Mapping[str, Any]:
        found: dict[str, set[str]] = {kind: set() for kind in ID_FIELDS.values()}
        for each in self.conditions:
            if each.field in ID_FIELDS and each.op.removeprefix("not_") != "is_empty":
                found[ID_FIELDS[each.field]].update(
                    [each.value] if isinstance(each.value, str) else each.value
                )
        for sets in (self.actions, *self.actions.split):
            named = sets.model_fields_set
            found["category"] |= {str(sets.category_id)} if "category_id" in named else set()
            found["payee"] |= {str(sets.payee_id)} if sets.payee_id is not None else set()
            found["tag"] |= set(map(str, sets.add_tag_ids))
        found["tag"] |= set(map(str, self.actions.remove_tag_ids))
        labels = {kind: sorted(ids) for kind, ids in found.items() if kind != "wallet"}
        return {"labels": labels, "wallets": sorted(found["wallet"])}


class _OfBook(BaseModel):
    user_id: UserId | None = Field(default=None, description=_USER_ID)
    organization_id: Line | None = Field(default=None, description=_ORGANIZATION_ID)


class RuleCreate(WrittenRule, _OfBook):
    """A new rule, the last of its book."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user_id": "user-42"} | _WRITTEN]}
    )


class Rule(BaseModel):
    """A rule of a book."""

    model_config = ConfigDict(json_schema_extra={"examples": [RULE]})

    rule_id: UUID = Field(description="Its id, a UUIDv7. Parts that it changed have it as `rule_id`.")
    book_id: UUID = Field(description="The book.")
    name: str = Field(description=_NAME)
    match: Literal["all", "any"] = Field(description=_MATCH)
    conditions: list[RuleCondition] = Field(description=_CONDITIONS)
    actions: RuleActions = Field(description="What it sets.")
    stop: bool = Field(description=_STOP)
    active: bool = Field(description=_ACTIVE)
    version: int = Field(description="Counts its changes, from 1. `If-Match` compares it.")
    created_at: AwareDatetime = Field(description="When it was created.")
    updated_at: AwareDatetime = Field(description="When it was last changed.")


class RulePage(BaseModel):
    """Rules of a book, in the order in which they are applied."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [RULE], "next_cursor": None}]})

    items: list[Rule] = Field(description="The rules.")
    next_cursor: str | None = Field(description="Names the next page; null on the last one.")


class RuleQuery(BaseModel):
    """Which rules a list has."""

    model_config = ConfigDict(extra="forbid")

    user_id: Line | None = Field(default=None, description=_USER_ID)
    organization_id: Line | None = Field(default=None, description=_ORGANIZATION_ID)
    active: BoolInQuery | None = Field(
        default=None, description="Only those that are active, or are not. Default: both."
    )
    cursor: CursorText = None
    limit: Limit = DEFAULT_LIMIT


RuleIds = Annotated[
    list[UUID],
    Field(max_length=MOST_RULES, json_schema_extra={"uniqueItems": True}),
    AfterValidator(each_once),
]


class RuleOrderSet(_OfBook):
    """The order of the rules of a book."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"user_id": "user-42", "rule_ids": [_RULE_ID]}]}
    )

    rule_ids: RuleIds = Field(description="All rules of the book, each once, in their new order.")


class RuleOrder(BaseModel):
    """The order of the rules of a book."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"book_id": _BOOK, "rule_ids": [_RULE_ID]}]})

    book_id: UUID = Field(description="The book.")
    rule_ids: list[UUID] = Field(description="Its rules, in the order in which they are applied.")


_FROM = "The first day of the entries; null: from the beginning."
_TO = "The day after their last; null: to the end."


class RuleTest(_OfBook):
    """A rule to be tried on the newest entries of a book, of which nothing is stored."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user_id": "user-42", "rule": _WRITTEN, "entries": 200}]},
    )

    rule: WrittenRule = Field(description="The rule, whether it is stored or not.")
    entries: Annotated[int, Field(ge=1, le=2000, strict=True), BeforeValidator(whole)] = Field(
        default=200, description="How many entries are looked at, the newest ones."
    )


_PART: dict[str, Any] = {
    "booked_on": "2026-01-02",
    "amount": "-84.37",
    "category_id": _OTHER_CATEGORY,
    "payee_id": None,
    "tag_ids": [],
    "payment_method_id": None,
    "note": None,
    "rule_id": None,
    "edited": False,
}


class RuledPart(BaseModel):
    """A part of an entry, before or after rules."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PART]})

    booked_on: str = Field(
        description="The day on which it counts, in the book's time zone.",
        json_schema_extra={"format": "date"},
    )
    amount: AmountText = Field(
        description="Positive where it adds to the wallet, negative where it takes from it."
    )
    category_id: UUID = Field(description="What it was for.")
    payee_id: UUID | None = Field(description="Who was paid, or paid; null: not said.")
    tag_ids: list[UUID] = Field(description="Its tags.")
    payment_method_id: UUID | None = Field(
        description="By which payment method; null: not said. Rules leave it."
    )
    note: str | None = Field(description="Its note; null: none.")
    rule_id: UUID | None = Field(
        description="The rule that changed it last; null: none did, or a person did later."
    )
    edited: bool = Field(
        description="Whether a person set it. Rules leave such parts, unless a job has `overwrite`."
    )


_RULED: dict[str, Any] = {
    "wallet_id": _WALLET,
    "wallet_version": 2,
    "description": "Lidl thanks you",
    "currency": "EUR",
    "before": [_PART],
    "after": [_PART | {"category_id": _CATEGORY, "note": "by rule", "rule_id": _RULE_ID}],
}


class RuledEntry(BaseModel):
    """An entry for which a rule holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [_RULED]})

    wallet_id: UUID = Field(description="Its wallet.")
    wallet_version: int = Field(description="Its number in the wallet.")
    description: str | None = Field(description="As it was posted.")
    currency: str = Field(description="The currency of the amounts.")
    before: list[RuledPart] = Field(description="Its parts now.")
    after: list[RuledPart] = Field(
        description="Its parts after the rule; the same where it changes nothing. A rule that is not stored has no id."
    )


class RuleTestResult(BaseModel):
    """For which entries a rule holds, and what it would make of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"examined": 200, "held": 1, "changed": 1, "items": [_RULED], "pending_entries": 0}]
        }
    )

    examined: int = Field(description="How many entries were looked at.")
    held: int = Field(description="For how many the rule holds, for one of their parts at least.")
    changed: int = Field(description="How many of these it would change.")
    items: list[RuledEntry] = Field(description="The newest 100 of those for which it holds.")
    pending_entries: int = Field(
        description="How many entries of the book have no parts yet, and were not looked at."
    )


class RulesApply(_OfBook):
    """Which rules are applied to which entries of a book."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"user_id": "user-42", "from": "2026-01-01", "dry_run": True}]},
    )

    rule_ids: Annotated[RuleIds, Field(min_length=1)] | SkipJsonSchema[None] = Field(
        default=None,
        description="These rules, active or not, in the order of the book. Default: all active ones.",
    )
    wallet_id: UUID | SkipJsonSchema[None] = Field(
        default=None, description="Only entries of this wallet. Default: of all wallets of the book."
    )
    from_: Day | None = Field(default=None, alias="from", description=_FROM)
    to: Day | None = Field(default=None, description=_TO)
    overwrite: StrictBool = Field(
        default=False, description="Whether parts that a person edited are changed, too."
    )
    dry_run: StrictBool = Field(
        default=True, description="Whether nothing is written: the job's result says what would be."
    )

    @field_validator("to")
    @classmethod
    def _check_days(cls, to: str | None, info: Any) -> str | None:
        first = info.data.get("from_")
        if to is not None and first is not None and to <= first:
            raise PydanticCustomError("day_invalid", "must be after from")
        return to


class RulesApplied(BaseModel):
    """Rules changed parts of entries. A run of many entries has several of these events."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"run_id": "0199d0a8-0000-7000-8000-00000000e001", "book_id": _BOOK, "entries": 12}]
        }
    )

    run_id: UUID = Field(description="The run, by which the changes are taken back.")
    book_id: UUID = Field(description="The book.")
    entries: int = Field(description="How many entries were changed.")

"""Settings from the environment: one frozen model per room, loaded together, every fault named at once.

The table of all settings is in docs/settings.md.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast, get_args

from pydantic import HttpUrl, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as SourceError

from wallet_service.core.errors import ReportedError

PREFIX = "WALLET_"
"""Begins every variable except those of other products, such as ``SUPABASE_URL``."""

FILE_SUFFIX = "_FILE"
"""``WALLET_JWT_SECRET_FILE`` names a file that holds the value of ``WALLET_JWT_SECRET``."""

LARGEST_FILE_BYTES = 65_536
"""A secret is short, so a larger file is the wrong file."""


class SettingsError(ReportedError):
    """Some settings are not acceptable. The message names each of them, but never the value of a secret."""


@dataclass(frozen=True, slots=True)
class Dependency:
    """Variables that have no effect unless something else is set.

    Attributes:
        variables: the variables that depend on it.
        needs: what must be set, as the log names it.
        is_met: whether it is set.
    """

    variables: Sequence[str]
    needs: str
    is_met: Callable[["Settings"], bool]


class RoomSettings(BaseSettings):
    """Base of the settings of one room.

    A room's model sets ``env_prefix`` (``WALLET_<ROOM>_``); a field whose variable does not follow from the prefix
    has a ``validation_alias``. An empty variable counts as not set.

    Attributes:
        DEPENDENCIES: variables that have no effect without others; ``serve`` warns of them.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=False,
        validate_by_name=True,
    )

    DEPENDENCIES: ClassVar[Sequence[Dependency]] = ()

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable of a field."""
        alias = cls.model_fields[field].validation_alias
        return alias if isinstance(alias, str) else f"{cls.model_config.get('env_prefix', '')}{field}".upper()

    @classmethod
    def is_secret(cls, field: str) -> bool:
        """Whether the field's value is secret: it can also be read from the file that ``…_FILE`` names."""
        annotation = cls.model_fields[field].annotation
        return annotation is SecretStr or SecretStr in get_args(annotation)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Values come from the arguments, from the environment, and from the files that the environment names."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, _SecretFiles(settings_cls)


class _SecretFiles(EnvSettingsSource):
    """Reads ``<VARIABLE>_FILE``: the first line of that file is the value."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        model = cast("type[RoomSettings]", self.settings_cls)
        variable = model.variable(field_name)
        name = self.env_vars.get(f"{variable}{FILE_SUFFIX}".lower()) if model.is_secret(field_name) else None
        if name is None:
            return None, field_name, False
        if self.env_vars.get(variable.lower()):
            raise SettingsError(f"{variable} and {variable}{FILE_SUFFIX} should not both be set")
        try:
            with Path(name).open(encoding="utf-8") as file:
                value = file.read(LARGEST_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "it is not UTF-8 text"
            raise SettingsError(
                f"{variable}{FILE_SUFFIX} names a file that can't be read: {reason}"
            ) from error
        if len(value) > LARGEST_FILE_BYTES:
            raise SettingsError(
                f"{variable}{FILE_SUFFIX} names a file of more than {LARGEST_FILE_BYTES} bytes"
            )
        alias = field.validation_alias
        return value.rstrip("\r\n"), alias if isinstance(alias, str) else field_name, False


Part = TypeVar("Part", bound=RoomSettings)


class Settings:
    """The settings of all rooms: ``settings[DatabaseSettings].pool_size``."""

    def __init__(self, parts: Iterable[RoomSettings]) -> None:
        self._parts: dict[type[RoomSettings], RoomSettings] = {type(part): part for part in parts}

    def __getitem__(self, model: type[Part]) -> Part:
        """The settings of the room with this model."""
        return cast("Part", self._parts[model])

    def __iter__(self) -> Iterator[RoomSettings]:
        """The settings of each room, in the order of the rooms."""
        return iter(self._parts.values())

    def __repr__(self) -> str:
        """Secrets are masked, because their type is ``SecretStr``."""
        return f"Settings({', '.join(map(repr, self))})"


Check = Callable[[Settings], Iterable[str]]
"""Finds conflicts between settings of several rooms, and yields one line for each."""


def load(
    models: Iterable[type[RoomSettings]], checks: Iterable[Check] = (), **values: dict[str, object]
) -> Settings:
    """Read the settings of all rooms from the environment.

    Args:
        models: one per room.
        checks: of settings of several rooms; they run if each setting by itself is acceptable.
        values: used instead of the environment, by the model's name: ``DatabaseSettings={"pool_size": 2}``.

    Raises:
        SettingsError: names every setting that is not acceptable.
    """
    parts: list[RoomSettings] = []
    faults: list[str] = []
    for model in models:
        try:
            parts.append(model(**cast("dict[str, Any]", values.get(model.__name__, {}))))
        except ValidationError as error:
            faults += [_fault(model, details) for details in error.errors(include_input=False)]
        except SourceError as error:  # pydantic-settings wraps what a source raises
            if not isinstance(error.__cause__, SettingsError):
                raise
            faults.append(str(error.__cause__))
    settings = Settings(parts)
    if not faults:
        faults = [fault for check in checks for fault in check(settings)]
    if faults:
        raise SettingsError("The settings are not acceptable:\n  " + "\n  ".join(faults))
    return settings


def _fault(model: type[RoomSettings], details: Any) -> str:
    text = str(details["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    if not details["loc"]:
        return text
    name = str(details["loc"][0])
    return f"{model.variable(name) if name in model.model_fields else name} {text}"


def require_header_text(text: str) -> None:
    """Refuse a text that can't be sent in a header.

    Raises:
        ValueError: it has a space, or a character that is not printable ASCII.
    """
    if any(not "!" <= character <= "~" for character in text):
        raise ValueError("should be printable ASCII without spaces, since it is sent in a header")


def comma_separated(value: object) -> object:
    """The parts of a list in a variable, without the blanks around them; anything but a text is returned as it is."""
    if not isinstance(value, str):
        return value
    return tuple(part for part in map(str.strip, value.split(",")) if part)


def require_plain_base(url: HttpUrl | None) -> HttpUrl | None:
    """Refuse a URL to which no path can be added.

    Raises:
        ValueError: it has a query or a fragment.
    """
    if url and (url.query or url.fragment):
        raise ValueError("should be an address to which paths can be added, without ? and #")
    return url

"""Settings of a test, by the names of their variables."""

from collections.abc import Sequence
from typing import Any

from wallet_service.core.room import Room
from wallet_service.core.settings import PREFIX, Settings
from wallet_service.rooms import ROOMS
from wallet_service.runtime.configuration import load_settings, variables_of

VARIABLES = variables_of(ROOMS)


def make_settings(rooms: Sequence[Room] = ROOMS, /, **values: Any) -> Settings:
    """Settings with these values: ``make_settings(database_pool_size=2)`` sets ``WALLET_DATABASE_POOL_SIZE``.

    Raises:
        SettingsError: a value is not acceptable.
        KeyError: there is no such setting.
    """
    variables = VARIABLES if rooms is ROOMS else variables_of(rooms)
    by_model: dict[str, dict[str, object]] = {}
    for name, value in values.items():
        variable = name.upper() if name.upper() in variables else f"{PREFIX}{name}".upper()
        model, field = variables[variable]
        by_model.setdefault(model.__name__, {})[field] = value
    return load_settings(rooms, **by_model)

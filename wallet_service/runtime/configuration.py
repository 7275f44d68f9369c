"""Loads the settings of all rooms together, and warns of variables that have no effect."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import structlog

from wallet_service.core.room import Room
from wallet_service.core.settings import FILE_SUFFIX, PREFIX, RoomSettings, Settings, load
from wallet_service.rooms import ROOMS

_OTHER_PROGRAMS = re.compile(r"WALLET_(VENV|TEST_.*|URL|API_KEY|SERVICE_(SERVICE_|PORT).*)")
"""Variables that scripts, tests and clients read, and those that Kubernetes sets for a Service "wallet-service"."""

_log = structlog.get_logger(__name__)


def models_of(rooms: Sequence[Room] = ROOMS) -> Sequence[type[RoomSettings]]:
    """The settings models of the rooms that have settings."""
    return [room.settings for room in rooms if room.settings is not None]


def variables_of(rooms: Sequence[Room] = ROOMS) -> Mapping[str, tuple[type[RoomSettings], str]]:
    """The model and field of each environment variable."""
    return {
        model.variable(field): (model, field) for model in models_of(rooms) for field in model.model_fields
    }


def load_settings(rooms: Sequence[Room] = ROOMS, **values: dict[str, object]) -> Settings:
    """The settings of this process.

    Args:
        rooms: their settings are read.
        values: used instead of the environment, by the model's name.

    Raises:
        SettingsError: names every setting that is not acceptable.
    """
    return load(models_of(rooms), [check for room in rooms for check in room.settings_checks], **values)


def warn_of_unused(settings: Settings, environment: Mapping[str, str], rooms: Sequence[Room] = ROOMS) -> None:
    """Log ``setting_unknown`` for variables that are not read, ``setting_without_effect`` for those that do nothing.

    Args:
        settings: loaded from the environment.
        environment: names and values; no value is logged.
        rooms: their settings are known.
    """
    variables = variables_of(rooms)
    # Compared without our prefix: "WALLET_SUPABASE_URI" is close to "SUPABASE_URL", which has none.
    known = {name.removeprefix(PREFIX): name for name in variables}
    known |= {
        f"{name.removeprefix(PREFIX)}{FILE_SUFFIX}": f"{name}{FILE_SUFFIX}"
        for name, (model, field) in variables.items()
        if model.is_secret(field)
    }
    for name in sorted(name.upper() for name, value in environment.items() if value):
        setting = name.removeprefix(PREFIX)
        if setting == name or setting in known or _OTHER_PROGRAMS.fullmatch(name):
            continue
        close = get_close_matches(setting, known, n=1)
        _log.warning("setting_unknown", name=name, **({"closest": known[close[0]]} if close else {}))
    given = {type(part).variable(field) for part in settings for field in part.model_fields_set}
    for model in models_of(rooms):
        for dependency in model.DEPENDENCIES:
            for name in dependency.variables:
                if name in given and not dependency.is_met(settings):
                    _log.warning("setting_without_effect", name=name, needs=dependency.needs)

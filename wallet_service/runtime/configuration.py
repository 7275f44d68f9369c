"""The settings of this process: those of all rooms, loaded together; and a warning for those that do nothing."""

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import structlog

from wallet_service.core.room import Room
from wallet_service.core.settings import FILE_SUFFIX, PREFIX, RoomSettings, Settings, load
from wallet_service.rooms import ROOMS

_OF_OTHERS = re.compile(r"WALLET_(VENV|TEST_.*|URL|API_KEY|SERVICE_(SERVICE_|PORT).*)")
"""What scripts, tests and clients read; and what Kubernetes sets in each container beside a service "wallet-service"."""

_log = structlog.get_logger(__name__)


def models_of(rooms: Sequence[Room] = ROOMS) -> Sequence[type[RoomSettings]]:
    """The settings models of the rooms that have settings."""
    return [room.settings for room in rooms if room.settings is not None]


def variables_of(rooms: Sequence[Room] = ROOMS) -> Mapping[str, tuple[type[RoomSettings], str]]:
    """Model and field by environment variable."""
    return {
        model.variable(field): (model, field) for model in models_of(rooms) for field in model.model_fields
    }


def load_settings(rooms: Sequence[Room] = ROOMS, **values: dict[str, object]) -> Settings:
    """The settings of this process.

    Args:
        rooms: whose settings are read.
        values: take precedence over the environment, by the model's name.

    Raises:
        SettingsError: names every setting that is not acceptable.
    """
    return load(models_of(rooms), [check for room in rooms for check in room.settings_checks], **values)


def warn_of_unused(settings: Settings, environment: Mapping[str, str], rooms: Sequence[Room] = ROOMS) -> None:
    """Log ``setting_unknown`` for each variable that is not read, ``setting_without_effect`` for each that does nothing.

    Args:
        settings: made of the environment.
        environment: names and values; no value is logged.
        rooms: whose settings are known.
    """
    variables = variables_of(rooms)
    # "WALLET_SUPABASE_URI" is close to a variable without our prefix, so names are compared without it.
    known = {name.removeprefix(PREFIX): name for name in variables}
    known |= {
        f"{name.removeprefix(PREFIX)}{FILE_SUFFIX}": f"{name}{FILE_SUFFIX}"
        for name, (model, field) in variables.items()
        if model.is_secret(field)
    }
    for name in sorted(name.upper() for name, value in environment.items() if value):
        setting = name.removeprefix(PREFIX)
        if setting == name or setting in known or _OF_OTHERS.fullmatch(name):
            continue
        close = get_close_matches(setting, known, n=1)
        _log.warning("setting_unknown", name=name, **({"closest": known[close[0]]} if close else {}))
    given = {type(part).variable(field) for part in settings for field in part.model_fields_set}
    for model in models_of(rooms):
        for dependency in model.DEPENDENCIES:
            for name in dependency.variables:
                if name in given and not dependency.is_met(settings):
                    _log.warning("setting_without_effect", name=name, needs=dependency.needs)

"""Where the bundled server keeps its data."""

import os
import sys
from pathlib import Path

from pydantic import Field, field_validator

from wallet_service.core.settings import RoomSettings


def default_data_dir() -> Path:
    """The user's own data folder."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "wallet-service"
    base = os.environ.get("XDG_DATA_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".local" / "share") / "wallet-service"


class EmbeddedPostgresSettings(RoomSettings):
    """Used while no database is named."""

    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="folder of the embedded PostgreSQL and its passwords; one service at a time. "
        "`scripts/run` sets `.data` in the clone; otherwise `$XDG_DATA_HOME/wallet-service`, "
        "`~/.local/share/wallet-service`, or on macOS `~/Library/Application "
        "Support/wallet-service`",
    )

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, folder: Path) -> Path:
        return folder.expanduser().absolute()

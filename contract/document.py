"""openapi.json: the OpenAPI document of the application, and the committed one."""

import json
from pathlib import Path
from typing import Any

from wallet_service.runtime.application import create_app
from wallet_service.runtime.configuration import load_settings

ROOT = Path(__file__).parent.parent
OPENAPI = ROOT / "openapi.json"

Document = dict[str, Any]
"""An OpenAPI document, or a part of one."""


def current() -> Document:
    """The document of the application in this clone. It needs no database."""
    return create_app(load_settings(), "postgresql://nowhere/").openapi()


def committed() -> Document:
    """The document in openapi.json."""
    document: Document = json.loads(OPENAPI.read_text(encoding="utf-8"))
    return document


def text(document: Any) -> str:
    """JSON in the form of the committed files: members in the application's order, one per line."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

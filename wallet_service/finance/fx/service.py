"""What of a request about conversions is decided by the service."""

from typing import Any

from wallet_service.core.settings import Settings
from wallet_service.finance.fx.conversion_schemas import ConversionDetails
from wallet_service.finance.fx.settings import FxSettings


def terms_of(request: ConversionDetails, settings: Settings) -> dict[str, Any]:
    """What the kernel reads of a conversion. The settings are no part of the request: a replay ignores them."""
    return request.terms() | {"defaults": settings[FxSettings].defaults()}

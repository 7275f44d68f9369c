"""Rules, requests and notices, before they reach the database."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from pydantic import SecretStr, ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from wallet_service.billing.top_ups.room import COUNTER_ACCOUNT
from wallet_service.billing.top_ups.schemas import NewTopUpRule, PaymentNotice
from wallet_service.billing.top_ups.settings import TopUpsSettings, secrets_of
from wallet_service.core.errors import MalformedRequest, Unauthorized
from wallet_service.platform.auth.authentication import Principal
from wallet_service.platform.web.problems import validation_problem
from wallet_service.platform.web.strict_json import loads

_DEFAULTS = ("max_charges", "window_s", "max_declines", "backoff_s")
MESSAGE_ID = "webhook-id"
LONGEST_MESSAGE_ID = 200


def notice_schema() -> Mapping[str, Any]:
    """The schema of a notice: of a body that is read before its signature is checked, FastAPI knows none."""
    schema = PaymentNotice.model_json_schema()
    schema["properties"]["data"] = schema.pop("$defs")["NoticedPayment"]
    return schema


def rule_of(request: NewTopUpRule, settings: TopUpsSettings) -> Mapping[str, Any]:
    """The rule of a request, with the limits of the settings where it names none."""
    defaults = {name: getattr(settings, name) for name in _DEFAULTS}
    return defaults | request.model_dump(exclude_none=True)


def require_amount(caller: Principal, amount: str) -> None:
    """Refuse a top-up that the caller's key may not deposit.

    Raises:
        Forbidden: the key is restricted to other counter accounts, or to smaller amounts.
    """
    if caller.restriction is not None:
        caller.restriction.require_counter_account(COUNTER_ACCOUNT)
        caller.restriction.require_amount(Decimal(amount))


def smallest_amount(rule: NewTopUpRule) -> str:
    """What a top-up of a rule is at least: its amount, or what is missing from the threshold to the target."""
    if rule.amount is not None:
        return rule.amount
    return f"{max(Decimal(rule.target or 0) - Decimal(rule.threshold), Decimal(0)):f}"


def read_notice(
    body: bytes, headers: Mapping[str, str], setting: SecretStr | None
) -> tuple[str, PaymentNotice]:
    """The id and the content of a notice whose signature is valid (Standard Webhooks).

    Raises:
        Unauthorized: it is not, or there is no secret.
        MalformedRequest, ValidationFailed: it is signed, but no notice.
    """
    if not _is_signed(body, headers, secrets_of(setting)):
        raise Unauthorized("The signature of the notice is missing, not valid, or older than five minutes")
    document = loads(body)
    if not isinstance(document, dict):
        raise MalformedRequest("The body is not a JSON object")
    try:
        notice = PaymentNotice.model_validate(document)
    except ValidationError as error:
        raise validation_problem(
            [{**found, "loc": ("body", *found["loc"])} for found in error.errors()]
        ) from None
    return headers[MESSAGE_ID], notice


def _is_signed(body: bytes, headers: Mapping[str, str], secrets: Sequence[str]) -> bool:
    message_id = headers.get(MESSAGE_ID, "")
    if not 1 <= len(message_id) <= LONGEST_MESSAGE_ID or not message_id.isprintable():
        return False
    for secret in secrets:
        try:
            Webhook(secret).verify(body, dict(headers), json_parse=False)
        except (WebhookVerificationError, ValueError):
            continue
        return True
    return False

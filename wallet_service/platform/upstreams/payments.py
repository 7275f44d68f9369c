"""Client of the payment service, which charges payment methods (``billing/top_ups``)."""

from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from wallet_service.core.identifiers import new_id
from wallet_service.platform.upstreams.client import UpstreamClient, path_of
from wallet_service.platform.upstreams.responses import ResponseDefect, is_unknown, read_body

_REFUSALS = (400, 402, 403, 409, 422)


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str):
        raise ValueError("an amount is a string")  # noqa: TRY004  # the kind that pydantic expects
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("an amount is a decimal number") from error


class PaymentRefused(Exception):
    """The payment service refused the payment. A retry would be refused again."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"the payment was refused with status {status}: {detail}")
        self.status = status
        self.detail = detail


class Payment(BaseModel):
    """A payment. In JSON its amount is a decimal string."""

    model_config = ConfigDict(strict=True, frozen=True)

    payment_id: str
    user_id: str
    amount: Annotated[Decimal, BeforeValidator(_decimal)]
    currency: str
    status: Literal["pending", "succeeded", "failed", "refunded"]
    reference: str | None = None


class PaymentClient:
    """Creates and reads payments. Nothing is cached, because the status of a payment changes."""

    def __init__(self, client: UpstreamClient) -> None:
        self._client = client

    async def create_payment(
        self,
        user_id: str,
        amount: str,
        currency: str,
        *,
        reference: str | None = None,
        idempotency_key: str | None = None,
        payment_method: str | None = None,
    ) -> Payment:
        """Create a payment, once for its key, however often the request is sent.

        Args:
            user_id: of the user who pays.
            amount: a decimal string in units of the currency.
            currency: its code.
            reference: a name for people.
            idempotency_key: needed if the caller may repeat the call; without it, a new one is created.
            payment_method: the service's name for what is charged; None: what it chooses for the user.

        Raises:
            ValueError: the amount is not a decimal number.
            PaymentRefused: the service refused it.
            ResponseUnusable, UpstreamUnavailable: the outcome is unknown. The payment may exist; a call with the
                same key finds it.
        """
        wanted = _decimal(amount)
        chosen = {"reference": reference, "payment_method": payment_method}
        body = {"user_id": user_id, "amount": amount, "currency": currency} | {
            name: value for name, value in chosen.items() if value is not None
        }

        def read(status: int, document: dict[str, Any]) -> Payment | PaymentRefused:
            if status in _REFUSALS:
                return PaymentRefused(status, str(document.get("detail", ""))[:200])
            if status == HTTPStatus.CREATED:
                status = HTTPStatus.OK
            payment = read_body(status, Payment, document, user_id=user_id, currency=currency)
            if payment.amount != wanted:
                raise ResponseDefect("the payment has another amount")
            return payment

        payment_or_refusal = await self._client.ask(
            "POST",
            path_of("api", "v1", "payments"),
            read,
            route="create_payment",
            body=body,
            headers={"Idempotency-Key": idempotency_key or new_id()},
        )
        if isinstance(payment_or_refusal, PaymentRefused):
            raise payment_or_refusal
        return payment_or_refusal

    async def get_payment(self, payment_id: str) -> Payment | None:
        """The payment with its status; None if there is none with this id.

        Raises:
            ResponseUnusable: the response is neither a payment nor "unknown".
            UpstreamUnavailable: no instance responded.
        """
        try:
            path = path_of("api", "v1", "payments", payment_id)
        except ValueError:
            return None

        def read(status: int, document: dict[str, Any]) -> Payment | None:
            if is_unknown(status, document):
                return None
            return read_body(status, Payment, document, payment_id=payment_id)

        return await self._client.ask("GET", path, read, route="payments")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

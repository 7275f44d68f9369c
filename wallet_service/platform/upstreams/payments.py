"""The payment service: money that comes from outside, for top-ups."""

from decimal import Decimal, InvalidOperation
from http import HTTPStatus
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict

from wallet_service.core.identifiers import new_id
from wallet_service.platform.upstreams.client import UpstreamClient, path_of
from wallet_service.platform.upstreams.responses import Unreadable, answered, says_unknown

_REFUSALS = (400, 402, 403, 409, 422)


def _decimal(value: object) -> Decimal:
    if not isinstance(value, str):
        raise ValueError("an amount is a string")  # noqa: TRY004  # the kind that pydantic expects
    try:
        return Decimal(value)
    except InvalidOperation as error:
        raise ValueError("an amount is a decimal number") from error


class PaymentRefused(Exception):
    """The payment service understood and said no; the same payment again will be refused again."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"the payment was refused with status {status}: {detail}")
        self.status = status
        self.detail = detail


class Payment(BaseModel):
    """A payment; its amount is a decimal string on the wire, as everywhere."""

    model_config = ConfigDict(strict=True, frozen=True)

    payment_id: str
    user_id: str
    amount: Annotated[Decimal, BeforeValidator(_decimal)]
    currency: str
    status: Literal["pending", "succeeded", "failed"]


class PaymentClient:
    """Starts payments and follows them. Nothing is kept: a payment's status changes."""

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
    ) -> Payment:
        """Start a payment, once for its key, however often the request has to be sent.

        Args:
            user_id: who pays.
            amount: a decimal string in units of the currency.
            currency: its code.
            reference: names it for people.
            idempotency_key: the caller's, for a payment that it may ask for again; made here otherwise.

        Raises:
            ValueError: the amount is no decimal.
            PaymentRefused: the service said no.
            AnswerUnusable, UpstreamUnavailable: no answer; the payment may exist, and the same key finds it.
        """
        wanted = _decimal(amount)
        body = {"user_id": user_id, "amount": amount, "currency": currency}
        if reference is not None:
            body["reference"] = reference

        def read(status: int, document: dict[str, Any]) -> Payment | PaymentRefused:
            if status in _REFUSALS:
                return PaymentRefused(status, str(document.get("detail", ""))[:200])
            if status == HTTPStatus.CREATED:
                status = HTTPStatus.OK
            payment = answered(status, Payment, document, user_id=user_id, currency=currency)
            if payment.amount != wanted:
                raise Unreadable("the payment is of another amount")
            return payment

        answer = await self._client.ask(
            "POST",
            path_of("api", "v1", "payments"),
            read,
            body=body,
            headers={"Idempotency-Key": idempotency_key or new_id()},
        )
        if isinstance(answer, PaymentRefused):
            raise answer
        return answer

    async def get_payment(self, payment_id: str) -> Payment | None:
        """A payment as it is now; None when there is no such payment.

        Raises:
            AnswerUnusable: the service said something else.
            UpstreamUnavailable: the service can't say now.
        """
        try:
            path = path_of("api", "v1", "payments", payment_id)
        except ValueError:
            return None

        def read(status: int, document: dict[str, Any]) -> Payment | None:
            if says_unknown(status, document):
                return None
            return answered(status, Payment, document, payment_id=payment_id)

        return await self._client.ask("GET", path, read)

    async def close(self) -> None:
        """Release the connections."""
        await self._client.close()

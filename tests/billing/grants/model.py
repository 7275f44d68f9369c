"""What grants should do, written plainly: one wallet after the other, one operation after the other, no SQL."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
NEVER = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass
class Grant:
    """A grant of the model."""

    grant_id: str
    amount: Decimal
    priority: int
    effective_at: datetime
    expires_at: datetime
    pays: tuple[str, ...] | None
    is_transferable: bool
    grace_s: int
    transaction_id: str | None
    remaining: Decimal
    expired: Decimal = ZERO
    voided: Decimal = ZERO
    ended: bool = False
    original: str | None = None

    @property
    def order(self) -> tuple[Any, ...]:
        return self.priority, self.expires_at, self.effective_at, self.grant_id

    def can_pay(self, account: str | None, *, spends: bool, now: datetime) -> bool:
        """Whether it pays a debit; ``account`` None: an adjustment, which any grant pays."""
        if self.ended or self.expires_at <= now:
            return False
        return (
            (self.pays is None or account is None or account in self.pays) if spends else self.is_transferable
        )


@dataclass
class Use:
    """What a debit took from a grant, and how much of it came back."""

    grant: Grant
    amount: Decimal
    returned: Decimal = ZERO


@dataclass
class Debit:
    """A debit of a wallet: the uses in order, and what was not granted."""

    wallet: "Wallet"
    amount: Decimal
    uses: list[Use]
    rest: Decimal
    rest_returned: Decimal = ZERO
    refunded: Decimal = ZERO


@dataclass
class Wallet:
    """A wallet of the model."""

    wallet_id: str
    credit_limit: Decimal
    balance: Decimal = ZERO
    grants: list[Grant] = field(default_factory=list)

    def live(self) -> list[Grant]:
        return sorted(
            (grant for grant in self.grants if grant.remaining and grant.transaction_id),
            key=lambda grant: grant.order,
        )

    def settle(self, now: datetime) -> None:
        """What was due takes effect, in the order in which it was due."""
        while True:
            due = [
                (grant.expires_at, 0, grant)
                for grant in self.grants
                if grant.remaining and grant.transaction_id and grant.expires_at <= now
            ] + [
                (grant.effective_at, 1, grant)
                for grant in self.grants
                if grant.transaction_id is None and not grant.ended and grant.effective_at <= now
            ]
            if not due:
                return
            _, kind, grant = min(due, key=lambda each: (each[0], each[1], each[2].grant_id))
            if kind:
                grant.transaction_id = "settled"
                self.balance += grant.amount
            else:
                posted = min(grant.remaining, max(ZERO, self.balance + self.credit_limit))
                self.balance -= posted
                grant.expired += posted
                grant.remaining = ZERO
                grant.ended = True

    def debit(
        self, amount: Decimal, account: str | None, *, spends: bool, now: datetime, own: Grant | None = None
    ) -> Debit | str:
        """Take an amount, or the code of the refusal."""
        if amount > self.balance + self.credit_limit:
            return "insufficient_funds"
        usable = [
            grant for grant in self.live() if grant is own or grant.can_pay(account, spends=spends, now=now)
        ]
        blocked = sum((grant.remaining for grant in self.live() if grant not in usable), ZERO)
        if blocked and amount > self.balance + self.credit_limit - blocked:
            return "grants_not_usable"
        rest = amount
        if own is not None:
            part = min(own.remaining, rest)
            own.remaining -= part
            own.voided += part
            rest -= part
        uses: list[Use] = []
        for grant in usable:
            part = min(grant.remaining, rest)
            if part and grant.can_pay(account, spends=spends, now=now):
                grant.remaining -= part
                rest -= part
                uses.append(Use(grant, part))
        self.balance -= amount
        return Debit(self, amount, uses, rest)

    def give_back(self, debit: Debit, amount: Decimal, now: datetime, new_id: str) -> None:
        """Refund a part of a debit: what it took last comes back first."""
        self.balance += amount
        debit.refunded += amount
        if not debit.uses:
            return
        part = min(amount, debit.rest - debit.rest_returned)
        debit.rest_returned += part
        amount -= part
        for use in reversed(debit.uses):
            part = min(amount, use.amount - use.returned)
            if not part:
                continue
            amount -= part
            use.returned += part
            if use.grant.ended or use.grant.expires_at <= now:
                self.grants.append(
                    Grant(
                        f"{new_id}/{use.grant.grant_id}",
                        part,
                        use.grant.priority,
                        now,
                        now + timedelta(seconds=use.grant.grace_s),
                        use.grant.pays,
                        use.grant.is_transferable,
                        use.grant.grace_s,
                        new_id,
                        part,
                        original=use.grant.original or use.grant.grant_id,
                    )
                )
            else:
                use.grant.remaining += part

"""What holds should do with balances and grants, written plainly: one operation after the other, no SQL."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

ZERO = Decimal(0)


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
    remaining: Decimal
    reserved: Decimal = ZERO
    expired: Decimal = ZERO
    overdrawn: Decimal = ZERO
    ended: bool = False
    original: str | None = None

    @property
    def order(self) -> tuple[int, datetime, datetime, str]:
        return self.priority, self.expires_at, self.effective_at, self.grant_id

    @property
    def free(self) -> Decimal:
        return self.remaining - self.reserved

    def suits(self, account: str) -> bool:
        """Whether it may pay an account, as long as it lasts."""
        if account.startswith("revenue:"):
            return self.pays is None or account in self.pays
        return self.is_transferable

    def can_pay(self, account: str, now: datetime) -> bool:
        return not self.ended and self.expires_at > now and self.suits(account)


@dataclass
class Part:
    """What a debit took of a grant, and how much of it came back; or what a hold reserves of it."""

    grant: Grant
    amount: Decimal
    returned: Decimal = ZERO


@dataclass
class Debit:
    """A debit of a wallet: the parts in order, and what was not granted."""

    wallet: "Wallet"
    amount: Decimal
    parts: list[Part]
    rest: Decimal
    rest_returned: Decimal = ZERO
    refunded: Decimal = ZERO


@dataclass
class Hold:
    """A hold of the model."""

    hold_id: str
    account: str
    created_at: datetime
    expires_at: datetime
    authorised: Decimal = ZERO
    captured: Decimal = ZERO
    voided: Decimal = ZERO
    expired: Decimal = ZERO
    overage: Decimal = ZERO
    state: str = "open"
    parts: list[Part] = field(default_factory=list)

    @property
    def rest(self) -> Decimal:
        return self.authorised - self.captured - self.voided - self.expired


@dataclass
class Wallet:
    """A wallet of the model."""

    wallet_id: str
    credit_limit: Decimal
    balance: Decimal = ZERO
    is_frozen: bool = False
    grants: list[Grant] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    @property
    def locked(self) -> Decimal:
        return sum((hold.rest for hold in self.holds), ZERO)

    @property
    def available(self) -> Decimal:
        return self.balance - self.locked

    def live(self) -> list[Grant]:
        return sorted((grant for grant in self.grants if grant.remaining), key=lambda grant: grant.order)

    def blocked(self, account: str, now: datetime) -> Decimal:
        """What is left in grants that can't pay an account."""
        return sum((grant.free for grant in self.live() if not grant.can_pay(account, now)), ZERO)

    def pick(self, amount: Decimal, account: str, now: datetime) -> list[Part]:
        """The parts of grants that pay an amount, in order."""
        parts: list[Part] = []
        for grant in self.live():
            part = min(grant.free, amount)
            if part and grant.can_pay(account, now):
                parts.append(Part(grant, part))
                amount -= part
        return parts

    def settle(self, now: datetime) -> None:
        """What was due takes effect, in the order in which it was due."""
        self._sweep()
        while True:
            due: list[tuple[datetime, int, str, Grant | Hold]] = [
                (grant.expires_at, 0, grant.grant_id, grant)
                for grant in self.grants
                if grant.free and not grant.ended and grant.expires_at <= now
            ]
            due.extend(
                (hold.expires_at, 1, hold.hold_id, hold)
                for hold in self.holds
                if hold.state == "open" and hold.expires_at <= now
            )
            if not due:
                return
            match min(due, key=lambda each: each[:3])[3]:
                case Grant() as grant:
                    self._end(grant)
                case Hold() as hold:
                    hold.expired = hold.rest
                    self.release(hold, "expired", now)
                    self._sweep()

    def _sweep(self) -> None:
        """What was released of grants that have ended expires."""
        for grant in self.live():
            if grant.ended and grant.free:
                self._end(grant)

    def _end(self, grant: Grant) -> None:
        posted = min(grant.free, max(ZERO, self.available + self.credit_limit))
        self.balance -= posted
        grant.expired += posted
        grant.overdrawn += grant.free - posted
        grant.remaining = grant.reserved
        grant.ended = True

    def release(self, hold: Hold, state: str, now: datetime) -> None:
        """Ends a hold: its parts are no longer reserved. A grant whose end has passed ends when that is settled."""
        for part in hold.parts:
            part.grant.reserved -= part.amount
            if part.grant.expires_at <= now:
                part.grant.ended = True
        hold.parts = []
        hold.state = state

    def refusal(self, amount: Decimal, account: str, now: datetime) -> str | None:
        """Why an amount can't be debited or kept."""
        if self.is_frozen:
            return "wallet_frozen"
        if amount > self.available + self.credit_limit:
            return "insufficient_funds"
        blocked = self.blocked(account, now)
        if blocked and amount > self.available + self.credit_limit - blocked:
            return "grants_not_usable"
        return None

    def debit(self, amount: Decimal, account: str, now: datetime) -> Debit | str:
        """Take an amount, or the code of the refusal."""
        refused = self.refusal(amount, account, now)
        return refused or self.take(amount, self.pick(amount, account, now))

    def take(self, amount: Decimal, parts: list[Part]) -> Debit:
        """Take an amount, and these parts of it from grants."""
        for part in parts:
            part.grant.remaining -= part.amount
        self.balance -= amount
        return Debit(self, amount, parts, amount - sum((part.amount for part in parts), ZERO))

    def keep(self, hold: Hold, amount: Decimal, now: datetime) -> str:
        """Keep an amount more for a hold."""
        refused = self.refusal(amount, hold.account, now)
        if refused:
            return refused
        for part in self.pick(amount, hold.account, now):
            part.grant.reserved += part.amount
            own = next((each for each in hold.parts if each.grant is part.grant), None)
            if own is None:
                hold.parts.append(part)
            else:
                own.amount += part.amount
        hold.authorised += amount
        if hold not in self.holds:
            self.holds.append(hold)
        return "posted"

    def capture(
        self, hold: Hold, amount: Decimal, account: str, overage: str, now: datetime, *, final: bool
    ) -> Debit | str:
        """Pay an amount of a hold, or the code of the refusal."""
        within, beyond = min(amount, hold.rest), max(ZERO, amount - hold.rest)
        if beyond and overage == "refuse":
            return "hold_exceeded"
        kept = sorted(hold.parts, key=lambda part: part.grant.order)
        suiting = [part for part in kept if account == hold.account or part.grant.suits(account)]
        ungranted = hold.rest - sum((part.amount for part in kept), ZERO)
        if within > ungranted + sum((part.amount for part in suiting), ZERO):
            return "grants_not_usable"
        taken: list[Part] = []
        left = within
        for part in suiting:
            used = min(part.amount, left)
            if used:
                taken.append(Part(part.grant, used))
                part.amount -= used
                part.grant.reserved -= used
                left -= used
        hold.parts = [part for part in hold.parts if part.amount]
        usable = self.available + (self.credit_limit if overage == "allow_to_limit" else ZERO)
        usable = ZERO if self.is_frozen else max(ZERO, usable - self.blocked(account, now))
        beyond = min(beyond, usable)
        debit = self.take(within + beyond, taken)
        more = self.pick(beyond, account, now)
        for part in more:
            part.grant.remaining -= part.amount
        debit.parts += more
        debit.rest -= sum((part.amount for part in more), ZERO)
        hold.captured += within
        hold.overage += beyond
        if final or not hold.rest:
            hold.voided = hold.rest
            self.release(hold, "captured", now)
        return debit

    def give_back(self, debit: Debit, amount: Decimal, now: datetime, new_id: str) -> None:
        """Refund a part of a debit: what it took last comes back first."""
        self.balance += amount
        debit.refunded += amount
        if not debit.parts:
            return
        part = min(amount, debit.rest - debit.rest_returned)
        debit.rest_returned += part
        amount -= part
        for use in reversed(debit.parts):
            part = min(amount, use.amount - use.returned)
            if not part:
                continue
            amount -= part
            use.returned += part
            grant = use.grant
            if grant.ended or grant.expires_at <= now:
                self.grants.append(
                    Grant(
                        f"{new_id}/{grant.grant_id}",
                        part,
                        grant.priority,
                        now,
                        now,
                        grant.pays,
                        grant.is_transferable,
                        part,
                        original=grant.original or grant.grant_id,
                    )
                )
            else:
                grant.remaining += part

"""What rules and top-ups should do, written plainly: a wallet keeps all its top-ups, and questions go through them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

NEVER = datetime(9000, 1, 1, tzinfo=UTC)
UNDER_WAY = ("created", "charging", "pending", "charged")
FOLLOWING = {
    "pending": {"charging": "pending", "pending": "pending"},
    "succeeded": {"charging": "charged", "pending": "charged", "declined": "charged"},
    "failed": {"charging": "declined", "pending": "declined"},
    "refunded": {
        "charging": "failed",
        "pending": "failed",
        "charged": "failed",
        "completed": "refunded",
    },
}


@dataclass
class TopUp:
    """A top-up of the model."""

    trigger: str
    amount: Decimal
    state: str = "created"
    started_at: datetime | None = None


@dataclass
class Rule:
    """A rule of the model."""

    threshold: Decimal
    target: Decimal | None
    amount: Decimal | None
    max_charges: int
    max_amount: Decimal | None
    window_s: int
    max_declines: int
    backoff_s: int
    set_at: datetime
    declines: int = 0
    reason: str | None = None
    until: datetime | None = None

    def wanted(self, available: Decimal) -> Decimal:
        return self.amount if self.amount is not None else (self.target or Decimal(0)) - available


@dataclass
class Wallet:
    """A wallet of the model."""

    wallet_id: str
    balance: Decimal
    status: str = "active"
    rule: Rule | None = None
    top_ups: list[TopUp] = field(default_factory=list[TopUp])

    @property
    def is_busy(self) -> bool:
        return any(each.state in UNDER_WAY for each in self.top_ups)

    def settle(self, now: datetime) -> bool:
        """End a pause that is over; whether it did."""
        if self.rule is None or self.rule.until is None or self.rule.until > now:
            return False
        self.rule.reason = self.rule.until = None
        return True

    def pause(self, reason: str, until: datetime) -> None:
        assert self.rule is not None
        if self.rule.until is None or self.rule.until < until:
            self.rule.reason, self.rule.until = reason, until

    def limit(self, amount: Decimal, now: datetime) -> datetime | None:
        """When the rule may charge this amount, if not now: the earliest moment at which it fits."""
        rule = self.rule
        assert rule is not None
        span = timedelta(seconds=rule.window_s)
        charges = [
            (each.started_at, each.amount)
            for each in self.top_ups
            if each.trigger == "rule" and each.started_at is not None and each.state != "declined"
        ]
        for moment in sorted({now, *(at + span for at, _ in charges if at + span > now)}):
            inside = [paid for at, paid in charges if at + span > moment]
            fits = rule.max_amount is None or sum(inside, amount) <= rule.max_amount
            if len(inside) < rule.max_charges and fits:
                return None if moment == now else moment
        return NEVER

    def trigger(self, now: datetime) -> None:
        """Start a top-up by the rule, if the wallet is low and nothing is against it."""
        rule = self.rule
        if rule is None or rule.until is not None or self.status != "active" or self.is_busy:
            return
        if self.balance > rule.threshold:
            return
        amount = rule.wanted(self.balance)
        until = self.limit(amount, now)
        if until is not None:
            self.pause("charge_limit", until)
        else:
            self.top_ups.append(TopUp("rule", amount))

    def start(self, top_up: TopUp, now: datetime, *, is_allowed: bool) -> None:
        """Begin the charge, or cancel it."""
        if top_up.state != "created":
            return
        is_good = self.status == "active" and (is_allowed or top_up.trigger == "rule")
        if top_up.trigger == "rule":
            is_good = self._rule_charges(top_up, now, is_allowed=is_allowed) and is_good
        if not is_good:
            top_up.state = "cancelled"
            return
        top_up.state, top_up.started_at = "charging", now
        if top_up.trigger == "rule":
            assert self.rule is not None
            top_up.amount = self.rule.wanted(self.balance)

    def _rule_charges(self, top_up: TopUp, now: datetime, *, is_allowed: bool) -> bool:
        del top_up
        if self.rule is None or self.rule.until is not None or self.balance > self.rule.threshold:
            return False
        if not is_allowed:
            self.pause("rights_lost", NEVER)
            return False
        until = self.limit(self.rule.wanted(self.balance), now)
        if until is not None:
            self.pause("charge_limit", until)
        return until is None

    def pay(self, top_up: TopUp, status: str, now: datetime) -> None:
        """What the payment service says of a payment."""
        after = FOLLOWING[status].get(top_up.state)
        if after is None or after == top_up.state:
            return
        top_up.state = after
        if after == "declined":
            self._decline(top_up, now)
        elif after == "failed":
            self.fail(top_up)

    def _decline(self, top_up: TopUp, now: datetime) -> None:
        rule = self.rule
        assert top_up.started_at is not None
        if top_up.trigger == "request" or rule is None or rule.set_at > top_up.started_at:
            self.trigger(now)
            return
        rule.declines += 1
        if rule.declines >= rule.max_declines:
            self.pause("too_many_declines", NEVER)
        else:
            seconds = min(rule.backoff_s * 2 ** (rule.declines - 1), 86_400)
            self.pause("declined", now + timedelta(seconds=seconds))

    def deposit(self, top_up: TopUp, now: datetime) -> None:
        """Post the deposit of a charged one, and record it."""
        self.settle(now)  # while it is charged, the wallet starts nothing
        self.balance += top_up.amount
        top_up.state = "completed"
        if top_up.trigger == "rule" and self.rule is not None:
            self.rule.declines = 0
        self.trigger(now)

    def fail(self, top_up: TopUp) -> None:
        """What was charged is not deposited."""
        top_up.state = "failed"
        if top_up.trigger == "rule" and self.rule is not None:
            self.pause("failed", NEVER)

"""What limits should do, written plainly: every debit is kept, and each question goes through all of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

ZERO = Decimal(0)


@dataclass(frozen=True)
class Debit:
    """A debit of a wallet that counts."""

    at: datetime
    amount: Decimal
    account: str


@dataclass(frozen=True)
class Limit:
    """A limit of the model."""

    set_by: str
    period: str
    amount: Decimal
    time_zone: str | None = None
    window_s: int | None = None
    account: str | None = None

    @property
    def key(self) -> tuple[object, ...]:
        return self.set_by, self.period, self.time_zone, self.window_s, self.account

    def covers(self, account: str) -> bool:
        if self.account == "wallets":
            return account.startswith("wallet:")
        if self.account is not None and self.account.endswith("*"):
            return account.startswith(self.account[:-1])
        return self.account in (None, account)

    def bounds(self, now: datetime) -> tuple[datetime, datetime]:
        """The calendar period in which a moment is, in UTC; of a midnight that comes twice, the first."""
        assert self.time_zone is not None
        zone = ZoneInfo(self.time_zone)
        day = now.astimezone(zone).date()
        if self.period == "week":
            day -= timedelta(days=day.weekday())
        elif self.period == "month":
            day = day.replace(day=1)
        if self.period == "month":
            following = (day + timedelta(days=32)).replace(day=1)
        else:
            following = day + timedelta(days=7 if self.period == "week" else 1)
        begin, end = (
            datetime(each.year, each.month, each.day, tzinfo=zone).astimezone(UTC)
            for each in (day, following)
        )
        return begin, end

    def counted(self, debits: list[Debit], now: datetime) -> list[Debit]:
        """The debits that are used of it at a moment."""
        if self.period == "transaction":
            return []
        if self.window_s is not None:
            after = now - timedelta(seconds=self.window_s)
            return [each for each in debits if each.at > after and self.covers(each.account)]
        begin, end = self.bounds(now)
        return [each for each in debits if begin <= each.at < end and self.covers(each.account)]

    def reset(self, debits: list[Debit], now: datetime, enough: Decimal) -> datetime | None:
        """When so much of what is used no longer counts."""
        if self.period == "transaction":
            return None
        if self.window_s is None:
            return self.bounds(now)[1]
        fallen = ZERO
        for each in self.counted(debits, now):
            fallen += each.amount
            if fallen >= enough:
                return each.at + timedelta(seconds=self.window_s)
        return None


@dataclass
class Wallet:
    """A wallet of the model."""

    wallet_id: str
    balance: Decimal = ZERO
    debits: list[Debit] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)

    def refusal(self, amounts: list[tuple[str, Decimal]], now: datetime) -> tuple[Limit, Decimal] | None:
        """The first limit that these debits of one operation would exceed, and what is used of it; None if none."""
        for limit in sorted(self.limits, key=lambda each: each.set_by):  # "operator" is before "owner"
            added = sum((amount for account, amount in amounts if limit.covers(account)), ZERO)
            used = sum((each.amount for each in limit.counted(self.debits, now)), ZERO)
            if added and used + added > limit.amount:
                return limit, used
        return None

    def spend(self, amounts: list[tuple[str, Decimal]], now: datetime) -> None:
        for account, amount in amounts:
            self.balance -= amount
            self.debits.append(Debit(now, amount, account))

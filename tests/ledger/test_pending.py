import pytest

from wallet_service.core.errors import Overloaded, Unavailable, WalletBusy, WalletError
from wallet_service.core.identifiers import new_id
from wallet_service.ledger.metrics import CommitMetrics
from wallet_service.ledger.operations import Operation, Unit
from wallet_service.ledger.outcomes import Busy, Posted, Refused
from wallet_service.ledger.pending import Answer, PendingUnit
from wallet_service.ledger.problems import InsufficientFunds

ONE, OTHER = new_id(), new_id()
POSTED = Posted(b"{}", replayed=False, dry_run=False)
POOR = Refused(InsufficientFunds(shortfall="1"))


def pending(size: int, *, atomic: bool = False, dry_run: bool = False) -> PendingUnit:
    operations = tuple(Operation(type="consume", client_id="c") for _ in range(size))
    unit = Unit(operations, atomic=atomic, dry_run=dry_run)
    return PendingUnit(unit, Answer(operations, CommitMetrics()), range(size), queued_at=0, deadline=1)


async def test_what_was_decided_is_answered_in_order() -> None:
    made = pending(2)
    assert made.settle([POSTED, POOR]) == []
    assert await made.answer.future == [POSTED, POOR]


async def test_what_is_busy_stays_apart_by_what_is_held() -> None:
    made = pending(5)
    parts = made.settle([Busy(ONE), POSTED, Busy(OTHER), Busy(ONE), POOR])
    assert [(held, part.places) for held, part in parts] == [(ONE, [0, 3]), (OTHER, [2])]
    (_, first), (_, second) = parts
    assert first.unit.operations == (made.unit.operations[0], made.unit.operations[3])
    assert not made.answer.future.done()
    assert second.settle([POOR]) == []
    assert first.settle([POSTED, POSTED]) == []
    assert await made.answer.future == [POSTED, POSTED, POOR, POSTED, POOR]


@pytest.mark.parametrize("whole", [{"atomic": True}, {"dry_run": True}], ids=["atomic", "dry run"])
async def test_what_is_decided_together_waits_together(whole: dict[str, bool]) -> None:
    made = pending(2, **whole)
    assert made.settle([POSTED, Busy(None)]) == [(None, made)]
    assert made.settle([POSTED, POSTED]) == []
    assert await made.answer.future == [POSTED, POSTED]


async def test_a_part_that_waited_in_vain_is_busy_and_the_rest_is_not() -> None:
    made = pending(2)
    ((_, part),) = made.settle([POSTED, Busy(ONE)])
    part.locked = True
    part.give_up()
    outcomes = await made.answer.future
    assert outcomes[0] == POSTED
    assert isinstance(outcomes[1], Refused)
    assert isinstance(outcomes[1].error, WalletBusy)


async def test_a_turn_that_never_came_is_overloaded() -> None:
    made = pending(1)
    made.give_up()
    with pytest.raises(Overloaded):
        await made.answer.future


@pytest.mark.parametrize("error", [WalletBusy(), Overloaded()])
async def test_after_a_lost_attempt_no_error_says_that_nothing_was_done(error: WalletError) -> None:
    made = pending(1)
    made.resent = True
    made.fail(error)
    with pytest.raises(Unavailable):
        await made.answer.future


async def test_each_caller_gets_an_error_of_their_own() -> None:
    cause, error = ValueError(), WalletBusy("held", wallet_id=ONE)
    error.__cause__ = cause
    made = pending(1)
    made.fail(error)
    with pytest.raises(WalletBusy) as raised:
        await made.answer.future
    assert raised.value is not error
    assert (raised.value.detail, raised.value.facts) == ("held", {"wallet_id": ONE})
    assert raised.value.__cause__ is cause


async def test_a_cancelled_caller_gets_no_outcome() -> None:
    gone = pending(1)
    gone.answer.future.cancel()
    assert gone.settle([POSTED]) == []
    failed = pending(1)
    failed.answer.future.cancel()
    failed.fail(Unavailable())
    assert failed.answer.future.cancelled()

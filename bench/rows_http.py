"""The requests of the rows over HTTP."""

import random
from collections import Counter, deque
from collections.abc import Callable

import uuid_utils

from bench.choice import Choice, Hot, Uniform, Zipf
from bench.ids import wallet_id
from bench.job import RowFailed, System
from bench.load_http import HttpTraffic

BATCH = 100
"""Operations of a batch."""

PAGE = 50
"""Transactions of a list."""

LOCKED = 4
"""Number of wallets that another session locks."""

LOCKED_AMONG = 100
"""Number of wallets of the load that includes the locked ones."""

REPLAYS = 0.05
"""Share of requests that are sent twice."""

_REMEMBERED = 4096
_OLD_ENOUGH = 100
_MOVEMENT = b'{"amount":"1","reference":"bench"}'


class _Requests(HttpTraffic):
    """Requests of one form. ``status`` is that of a successful response."""

    status = 201

    def __init__(self, system: System, choice: Choice) -> None:
        self._choice = choice
        known = max(system.wallets, system.zipf_wallets, system.big_wallet + 1)
        self._wallets = [wallet_id(number).encode() for number in range(known)]
        self._head = f"Host: bench\r\nAuthorization: Bearer {system.key}\r\n".encode()

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        del request
        if status != self.status:
            raise unexpected(status, answer)

    def _wallet(self) -> bytes:
        return self._wallets[self._choice.draw()]

    def _post(self, path: bytes, body: bytes) -> bytes:
        return b"POST %s HTTP/1.1\r\n%sContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n%s" % (
            path,
            self._head,
            len(body),
            b"Idempotency-Key: %s\r\n" % _key(),
            body,
        )

    def _get(self, path: bytes) -> bytes:
        return b"GET %s HTTP/1.1\r\n%s\r\n" % (path, self._head)


class _Consume(_Requests):
    def request(self) -> bytes:
        return self._post(b"/api/v1/wallets/%s/consume" % self._wallet(), _MOVEMENT)


class _Hostile(_Consume):
    """Consume, beside hostile clients."""

    is_among_hostile = True


class _Limited(_Consume):
    """Consume. The response must have the headers of a rate limit."""

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        super().check(request, status, answer)
        if b"\r\nratelimit: " not in answer:
            raise RowFailed("the service has no rate limits")


class _Empty(_Requests):
    """The same request to an endpoint without an effect."""

    def request(self) -> bytes:
        return self._post(b"/bench/empty/%s" % self._wallet(), _MOVEMENT)


class _Transfer(_Requests):
    def request(self) -> bytes:
        source = target = self._wallet()
        while target == source:
            target = self._wallet()
        body = b'{"amount":"1","reference":"bench","to_wallet_id":"%s"}' % target
        return self._post(b"/api/v1/wallets/%s/transfer" % source, body)


class _Batch(_Requests):
    operations = BATCH
    status = 200

    def request(self) -> bytes:
        operations = b",".join(
            b'{"type":"consume","wallet_id":"%s","amount":"1","reference":"bench"}' % self._wallet()
            for _ in range(BATCH)
        )
        return self._post(b"/api/v1/transactions/batch", b'{"operations":[%s]}' % operations)

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        super().check(request, status, answer)
        if answer.count(b'"transaction_id":"') != BATCH:
            raise unexpected(status, answer)


class _Balance(_Requests):
    status = 200

    def request(self) -> bytes:
        return self._get(b"/api/v1/wallets/%s/balance" % self._wallet())


class _List(_Requests):
    status = 200

    def request(self) -> bytes:
        return self._get(b"/api/v1/wallets/%s/transactions?limit=%d" % (self._wallet(), PAGE))

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        super().check(request, status, answer)
        if answer.count(b'"transaction_id":"') != PAGE:
            raise unexpected(status, answer)


class _Replays(_Consume):
    """Consume; five of a hundred requests repeat an earlier one, byte for byte."""

    def __init__(self, system: System, choice: Choice) -> None:
        super().__init__(system, choice)
        self._answered: deque[bytes] = deque(maxlen=_REMEMBERED)
        self._again: set[bytes] = set()
        self._replayed = 0
        self._random = random.Random()  # noqa: S311 - draws a load, keeps no secret

    def request(self) -> bytes:
        if len(self._answered) > _OLD_ENOUGH and self._random.random() < REPLAYS:
            request = self._answered.popleft()
            self._again.add(request)
            return request
        return super().request()

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        super().check(request, status, answer)
        if request not in self._again:
            self._answered.append(request)
            return
        self._again.remove(request)
        self._replayed += 1
        if b"idempotency-replayed: true" not in answer.lower():
            raise RowFailed("the response to a repeated request was no replay")

    def take_notes(self) -> dict[str, int]:
        taken, self._replayed = self._replayed, 0
        return {"replays": taken}


class _Locked(_Consume):
    """Consume from wallets that another session locks: late, or refused as busy."""

    def __init__(self, system: System, choice: Choice) -> None:
        super().__init__(system, choice)
        self._seen: Counter[str] = Counter()

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        if status == 503 and b'"wallet_busy"' in answer:  # noqa: PLR2004 - the status of wallet_busy
            self._seen["locked: 503 wallet_busy"] += 1
        else:
            super().check(request, status, answer)
            self._seen["locked: 201"] += 1

    def take_notes(self) -> dict[str, int]:
        taken, self._seen = dict(self._seen), Counter()
        return taken


def unexpected(status: int, answer: bytes) -> RowFailed:
    """The error for a response that is not the expected one."""
    return RowFailed(f"unexpected response {status}: {answer[-400:].decode(errors='replace')}")


def _key() -> bytes:
    return str(uuid_utils.uuid7()).encode()


HTTP_TRAFFIC: dict[str, Callable[[System], HttpTraffic]] = {
    "empty": lambda system: _Empty(system, Uniform(system.wallets)),
    "consume": lambda system: _Consume(system, Uniform(system.wallets)),
    "consume_hostile": lambda system: _Hostile(system, Uniform(system.wallets)),
    "consume_limited": lambda system: _Limited(system, Uniform(system.wallets)),
    "consume_hot": lambda system: _Consume(system, Hot()),
    "transfer": lambda system: _Transfer(system, Uniform(system.wallets)),
    "batch": lambda system: _Batch(system, Uniform(system.wallets)),
    "balance": lambda system: _Balance(system, Uniform(system.wallets)),
    "list": lambda system: _List(system, Hot(system.big_wallet)),
    "replays": lambda system: _Replays(system, Uniform(system.wallets)),
    "zipf": lambda system: _Consume(system, Zipf(system.zipf_wallets)),
    "unlocked": lambda system: _Consume(system, Uniform(LOCKED_AMONG - LOCKED, first=LOCKED)),
    "locked": lambda system: _Locked(system, Uniform(LOCKED)),
}
"""The traffic over HTTP, by name."""

"""What is sent over HTTP, row by row."""

import random
from collections import Counter, deque
from collections.abc import Callable

import uuid_utils

from bench.choice import Choice, Hot, Uniform, Zipf
from bench.job import Place, RowFailed
from bench.load_http import HttpTraffic
from bench.names import wallet_id

BATCH = 100
"""Operations of a batch."""

PAGE = 50
"""Transactions of a list."""

HELD = 4
"""Wallets that a foreign transaction holds."""

AROUND_HELD = 100
"""Wallets among which those are."""

REPLAYS = 0.05
"""Share of requests that are sent a second time."""

_REMEMBERED = 4096
_OLD_ENOUGH = 100
_MOVEMENT = b'{"amount":"1","reference":"bench"}'


class _Requests(HttpTraffic):
    """Requests of one form; ``status`` is the answer's."""

    status = 201

    def __init__(self, place: Place, choice: Choice) -> None:
        self._choice = choice
        known = max(place.wallets, place.zipf_wallets, place.big_wallet + 1)
        self._wallets = [wallet_id(number).encode() for number in range(known)]
        self._head = f"Host: bench\r\nAuthorization: Bearer {place.key}\r\n".encode()

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


class _Limited(_Consume):
    """Consume, where the answer says what is left of a limit."""

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        super().check(request, status, answer)
        if b"\r\nratelimit: " not in answer:
            raise RowFailed("the service has no rate limits")


class _Empty(_Requests):
    """The same request to an endpoint that does nothing."""

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
    """Consume, and of every hundred requests five that were answered before, byte for byte."""

    def __init__(self, place: Place, choice: Choice) -> None:
        super().__init__(place, choice)
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
            raise RowFailed("a request that was sent again was not answered as a replay")

    def take_notes(self) -> dict[str, int]:
        taken, self._replayed = self._replayed, 0
        return {"replays": taken}


class _Held(_Consume):
    """Consume from wallets that somebody else holds: late, or refused as busy."""

    def __init__(self, place: Place, choice: Choice) -> None:
        super().__init__(place, choice)
        self._seen: Counter[str] = Counter()

    def check(self, request: bytes, status: int, answer: bytes) -> None:
        if status == 503 and b'"wallet_busy"' in answer:  # noqa: PLR2004 - the status of wallet_busy
            self._seen["held: 503 wallet_busy"] += 1
        else:
            super().check(request, status, answer)
            self._seen["held: 201"] += 1

    def take_notes(self) -> dict[str, int]:
        taken, self._seen = dict(self._seen), Counter()
        return taken


def unexpected(status: int, answer: bytes) -> RowFailed:
    """The error about an answer that should be another."""
    return RowFailed(f"unexpected answer {status}: {answer[-400:].decode(errors='replace')}")


def _key() -> bytes:
    return str(uuid_utils.uuid7()).encode()


HTTP_TRAFFIC: dict[str, Callable[[Place], HttpTraffic]] = {
    "empty": lambda place: _Empty(place, Uniform(place.wallets)),
    "consume": lambda place: _Consume(place, Uniform(place.wallets)),
    "consume limited": lambda place: _Limited(place, Uniform(place.wallets)),
    "consume hot": lambda place: _Consume(place, Hot()),
    "transfer": lambda place: _Transfer(place, Uniform(place.wallets)),
    "batch": lambda place: _Batch(place, Uniform(place.wallets)),
    "balance": lambda place: _Balance(place, Uniform(place.wallets)),
    "list": lambda place: _List(place, Hot(place.big_wallet)),
    "replays": lambda place: _Replays(place, Uniform(place.wallets)),
    "zipf": lambda place: _Consume(place, Zipf(place.zipf_wallets)),
    "not held": lambda place: _Consume(place, Uniform(AROUND_HELD - HELD, first=HELD)),
    "held": lambda place: _Held(place, Uniform(HELD)),
}
"""What can be sent over HTTP, by name."""

"""Computes the expected responses of the HTTP API: the ledger of ``support.model``, with wallets around it.

Only ids and times are taken from the responses; every other member is computed and compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation

import httpx

from support.expectations import (
    Document,
    amount_text,
    assert_batch_refused,
    assert_equal,
    assert_problem,
    assert_refused,
)
from support.model import CREDITS, LIMIT, Account, Decision, Model, Operation
from wallet_service.core.identifiers import new_id

CLIENT = "admin"
EXPONENTS = {"CREDIT": 6, "USD": 2, "JPY": 0, "ETH": 18}


_COUNTERS = {
    "adjustment": "external:adjustments",
    "deposit": "external:deposits",
    "withdraw": "external:withdrawals",
    "consume": "revenue:usage",
    "reward": "promotions",
    "fee": "revenue:fees",
}
_OPENING = "mirrored:opening"
MONEY = frozenset({"balance", "locked_balance", "available_balance", "last_entry"})
"""Members of a wallet that postings change, and changes of the wallet do not."""


@dataclass(frozen=True)
class Wallet:
    """The properties of a wallet, without its money."""

    wallet_id: str
    user_id: str
    name: str
    wallet_type: str
    currency: str
    is_primary: bool
    keeping: str = "operating"
    version: int = 1
    metadata: Document = field(default_factory=dict)
    entries: tuple[Document, ...] = ()
    past: tuple[Document, ...] = ()
    """Its properties in each version, without its money."""

    def at(self, moment: str) -> int:
        """The newest wallet version that was posted at this moment or before."""
        return sum(entry["created_at"] <= moment for entry in self.entries)

    def primary_of(self) -> tuple[str, str, str]:
        """What a user has one primary wallet of."""
        return (self.user_id, self.currency, self.keeping)


@dataclass
class Oracle:
    """The state after all calls of the API, in one order."""

    model: Model = field(default_factory=Model)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    created: dict[str, tuple[Document, bytes]] = field(default_factory=dict)
    answers: dict[str, bytes] = field(default_factory=dict)

    def clone(self) -> "Oracle":
        """An independent copy."""
        model = Model(
            {name: replace(account) for name, account in self.model.accounts.items()},
            {name: replace(posting) for name, posting in self.model.postings.items()},
            dict(self.model.keys),
        )
        return Oracle(model, dict(self.wallets), dict(self.documents), dict(self.created), dict(self.answers))

    # Wallets

    def create(
        self, request: Document, key: str | None, answer: httpx.Response, opening_id: str | None = None
    ) -> bool:
        """POST /wallets; whether something changed. The id of the opening posting is not in the response."""
        limit = Decimal(request.get("credit_limit", "0"))
        initial = Decimal(request.get("initial_balance", "0"))
        if initial == 0:  # is none
            request = {name: value for name, value in request.items() if name != "initial_balance"}
        refusal = self._misfit(request, limit, initial)
        if refusal is None and key is not None and (CLIENT, key) in self.model.keys:
            return self._replay_creation(request, key, answer)
        refusal = refusal or self._obstacle(request, limit, initial)
        if refusal is not None:
            code, facts = refusal
            assert_refused(answer, code, **facts)
            return False
        is_mirrored = request.get("keeping") == "mirrored"
        assert answer.status_code == 201, answer.text
        document = answer.json()
        self._open(document["wallet_id"], request, limit)
        if initial:
            operation = {"type": "deposit", "wallet_id": document["wallet_id"], "amount": str(abs(initial))}
            if is_mirrored:
                kind = "deposit" if initial > 0 else "withdraw"
                operation |= {"type": kind, "counter_account": _OPENING}
            opening = {"transaction_id": opening_id, "created_at": document["updated_at"]}
            self.keep(operation, self.ask(operation, opening), opening)
        self.is_wallet(document)
        assert "idempotency-replayed" not in answer.headers
        if key is not None:
            self.model.keys[CLIENT, key] = ("", None, False)
            self.created[key] = (request, answer.content)
        return True

    def _misfit(self, request: Document, limit: Decimal, initial: Decimal) -> tuple[str, Document] | None:
        """Why a wallet can't be created, whatever there is already and whichever key the request has."""
        currency = request["currency"]
        exponent = EXPONENTS.get(currency, 18)
        if initial < 0 and request.get("keeping") != "mirrored":
            return "amount_invalid", {}
        return _finer(limit, currency, exponent)

    def _obstacle(self, request: Document, limit: Decimal, initial: Decimal) -> tuple[str, Document] | None:
        """Why a wallet can't be created now."""
        currency = request["currency"]
        if currency not in EXPONENTS:
            return "currency_unknown", {"currency": currency}
        if request.get("keeping") == "mirrored" and limit:
            return "wallet_mirrored", {}
        taken = self._named(
            request["user_id"], currency, request["name"], request.get("keeping", "operating")
        )
        if taken is not None:
            return "wallet_exists", {"wallet_id": taken}
        return _finer(initial, currency, EXPONENTS[currency])

    def _replay_creation(self, request: Document, key: str, answer: httpx.Response) -> bool:
        if self.created.get(key, (None, b""))[0] != request:
            assert_refused(answer, "idempotency_key_reused")
            return False
        assert_equal((answer.status_code, answer.headers.get("idempotency-replayed")), (201, "true"))
        assert_equal(answer.content, self.created[key][1])
        return False

    def _open(self, wallet_id: str, request: Document, limit: Decimal) -> None:
        user_id, currency = request["user_id"], request["currency"]
        keeping = request.get("keeping", "operating")
        primary = not any(
            other.is_primary and other.primary_of() == (user_id, currency, keeping)
            for other in self.wallets.values()
        )
        self.wallets[wallet_id] = Wallet(
            wallet_id, user_id, request["name"], "fiat", currency, primary, keeping
        )
        self.model.accounts[wallet_id] = Account(
            user_id, currency, EXPONENTS[currency], credit_limit=limit, keeping=keeping
        )
        self._remember(wallet_id)

    def _remember(self, wallet_id: str) -> None:
        """Keep the properties of a new version of a wallet."""
        wallet = self.wallets[wallet_id]
        document = self.expected_wallet(wallet_id)
        kept = {name: value for name, value in document.items() if name not in MONEY}
        self.wallets[wallet_id] = replace(wallet, past=(*wallet.past, kept))

    def _named(self, user_id: str, currency: str, name: str, keeping: str) -> str | None:
        wanted = (user_id, currency, name, keeping)
        for wallet_id, wallet in self.wallets.items():
            is_open = self.model.accounts[wallet_id].status != "closed"
            if is_open and (wallet.user_id, wallet.currency, wallet.name, wallet.keeping) == wanted:
                return wallet_id
        return None

    def patch(self, wallet_id: str, changes: Document, version: int | None, answer: httpx.Response) -> bool:
        """PATCH /wallets/{id}; whether something changed."""
        if not self._may_change(wallet_id, version, answer):
            return False
        wallet, account = self.wallets[wallet_id], self.model.accounts[wallet_id]
        limit = Decimal(changes.get("credit_limit", account.credit_limit))
        if _too_fine(limit, account.exponent):
            assert_refused(answer, "amount_precision", currency=account.currency, exponent=account.exponent)
            return False
        if wallet.keeping == "mirrored" and limit:
            assert_refused(answer, "wallet_mirrored", wallet_id=wallet_id)
            return False
        if wallet.keeping == "operating" and account.balance < -limit:
            assert_refused(answer, "credit_limit_in_use", wallet_id=wallet_id)
            return False
        other = self._named(wallet.user_id, wallet.currency, changes.get("name", wallet.name), wallet.keeping)
        if other not in (None, wallet_id):
            assert_refused(answer, "wallet_exists", wallet_id=other)
            return False
        changed = replace(
            wallet,
            name=changes.get("name", wallet.name),
            is_primary=changes.get("is_primary", wallet.is_primary),
            metadata={**wallet.metadata, **changes.get("metadata", {})},
        )
        status = changes.get("status", account.status)
        is_new = changed != wallet or (status, limit) != (account.status, account.credit_limit)
        if changed.is_primary and not wallet.is_primary:
            self._demote(wallet)
        account.status, account.credit_limit = status, limit
        self.wallets[wallet_id] = replace(changed, version=wallet.version + is_new)
        if is_new:
            self._remember(wallet_id)
        assert answer.status_code == 200, answer.text
        self.is_wallet(answer.json(), answer.headers["etag"])
        return is_new

    def close(self, wallet_id: str, version: int | None, answer: httpx.Response) -> bool:
        """DELETE /wallets/{id}; whether something changed."""
        if not self._may_change(wallet_id, version, answer):
            return False
        wallet, account = self.wallets[wallet_id], self.model.accounts[wallet_id]
        if account.balance != 0:
            assert_refused(answer, "wallet_not_empty", wallet_id=wallet_id)
            return False
        account.status = "closed"
        self.wallets[wallet_id] = replace(wallet, is_primary=False, version=wallet.version + 1)
        self._remember(wallet_id)
        assert answer.status_code == 200, answer.text
        self.is_wallet(answer.json(), answer.headers["etag"])
        return True

    def _may_change(self, wallet_id: str, version: int | None, answer: httpx.Response) -> bool:
        wallet = self.wallets.get(wallet_id)
        if wallet is None:
            assert_refused(answer, "wallet_not_found", wallet_id=wallet_id)
        elif self.model.accounts[wallet_id].status == "closed":
            assert_refused(answer, "wallet_closed", wallet_id=wallet_id)
        elif version not in (None, wallet.version):
            assert_refused(answer, "version_mismatch", wallet_id=wallet_id, version=wallet.version)
        else:
            return True
        return False

    def _demote(self, wallet: Wallet) -> None:
        for name, other in self.wallets.items():
            if other.is_primary and other.primary_of() == wallet.primary_of():
                self.wallets[name] = replace(other, is_primary=False, version=other.version + 1)
                self._remember(name)

    def credits_wallet(self, user_id: str, wallet_id: str | None) -> None:
        """The wallet from which a user's credits are consumed is this one, which is new if there was none; None: none."""
        found = [
            wallet
            for wallet in self.wallets.values()
            if wallet.primary_of() == (user_id, "CREDIT", "operating")
            and self.model.accounts[wallet.wallet_id].status != "closed"
        ]
        if found:
            first = min(found, key=lambda wallet: (not wallet.is_primary, wallet.wallet_id))
            assert_equal(wallet_id, first.wallet_id)
        elif wallet_id is not None:
            request = {"user_id": user_id, "currency": "CREDIT", "name": "main"}
            self._open(wallet_id, request, Decimal(0))

    def credits_spent_under(self, user_id: str, key: str | None) -> str | None:
        """The wallet with credits of this user on which the key was spent, if it was."""
        name = self.model.keys.get((CLIENT, key or ""), ("",))[0]
        document = self.documents.get(name, {})
        is_theirs = (document.get("user_id"), document.get("currency")) == (user_id, "CREDIT")
        return document["wallet_id"] if is_theirs else None

    # Money

    def move(self, operation: Operation, answer: httpx.Response, *, dry_run: bool = False) -> bool:
        """One operation by itself; whether something changed."""
        document = answer.json()
        following = self.clone() if dry_run else self
        decision = following.ask(operation, document)
        if decision.status not in ("posted", "replayed"):
            assert_refused(answer, decision.status, **following.facts(decision.status, operation))
            return False
        key = operation.get("idempotency_key")
        replayed = decision.status == "replayed"
        assert answer.status_code == (200 if dry_run else 201), (decision, answer.text)
        if not replayed:
            following.keep(operation, decision, document)
        name = following.owner(operation) if replayed else document["transaction_id"]
        assert_equal(document, following.documents[name] | {"dry_run": dry_run})
        assert_equal(answer.headers.get("idempotency-replayed"), "true" if replayed and not dry_run else None)
        assert_equal(answer.headers.get("location"), None if dry_run else f"/api/v1/transactions/{name}")
        if key is not None and not dry_run:
            # A batch has no bytes of a single operation, so they are known from its first replay on.
            assert_equal(answer.content, self.answers.setdefault(key, answer.content))
        return not dry_run and not replayed

    def batch(
        self,
        operations: Sequence[Operation],
        answer: httpx.Response,
        *,
        atomic: bool = False,
        dry_run: bool = False,
    ) -> bool:
        """A batch; whether something changed."""
        following = self.clone()
        results: list[Document] = answer.json().get("results", [])
        misfit = next((place for place, each in enumerate(operations) if _amount_fault(each)), None)
        if atomic and misfit is not None:
            return assert_batch_refused(answer, len(operations), misfit, "amount_invalid", {})
        expected: list[Document | tuple[str, Document]] = []
        replays = 0
        for place, operation in enumerate(operations):
            result = results[place] if place < len(results) else {}
            # Postings that are rolled back afterwards are in no response.
            document = result.get("transaction", {"transaction_id": new_id(), "created_at": "9999"})
            decision = following.ask(operation, document)
            if decision.status not in ("posted", "replayed"):
                facts = following.facts(decision.status, operation)
                if atomic:
                    return assert_batch_refused(answer, len(operations), place, decision.status, facts)
                expected.append((decision.status, facts))
                continue
            if decision.status == "posted":
                following.keep(operation, decision, document)
            replays += decision.status == "replayed" and not dry_run
            name = following.owner(operation) if decision.status == "replayed" else document["transaction_id"]
            expected.append(following.documents[name] | {"dry_run": dry_run})
        assert_equal((answer.status_code, len(results)), (200, len(operations)))
        for result, wanted in zip(results, expected, strict=True):
            if isinstance(wanted, tuple):
                assert_equal(result["status"], "refused")
                assert_problem(result["problem"], *wanted)
            else:
                assert_equal(result, {"status": "posted", "transaction": wanted})
        is_replay = replays == len(operations)
        assert_equal(answer.headers.get("idempotency-replayed"), "true" if is_replay else None)
        if not dry_run:
            self.__dict__.update(following.__dict__)
        return not dry_run and not is_replay

    def part_of_batch(
        self, answer: httpx.Response, operations: Sequence[Operation], place: int, *, dry_run: bool
    ) -> bool:
        """One operation of a batch by itself; whether something changed."""
        results = answer.json().get("results", [])
        assert_equal((answer.status_code, len(results)), (200, len(operations)))
        alone = httpx.Response(200, json={"results": [results[place]]})
        following = self.clone()
        if (
            following.ask(operations[place], results[place].get("transaction", {})).status == "replayed"
            and not dry_run
        ):
            alone.headers["Idempotency-Replayed"] = "true"  # the batch has it only when all are
        return self.batch([operations[place]], alone, dry_run=dry_run)

    def ask(self, operation: Operation, document: Document) -> Decision:
        """The decision of the ledger. The document, if there is one, has the transaction_id of the posting."""
        name = document.get("transaction_id", "")
        if not name or name in self.model.postings:
            name = new_id()
        (decision,) = self.model.post([{**operation, "client_id": CLIENT, "transaction_id": name}])
        return decision

    def owner(self, operation: Operation) -> str:
        """The posting on which the operation's key was spent."""
        return self.model.keys[CLIENT, operation["idempotency_key"]][0]

    def keep(self, operation: Operation, decision: Decision, answered: Document) -> None:
        """Write the entries of a posting, with the id and times of the response."""
        name, moment = answered["transaction_id"], answered["created_at"]
        original = self.documents.get(operation.get("original_transaction_id", ""))
        entries: list[Document] = []
        for leg, part in enumerate(decision.legs):
            account = self.model.accounts[part.wallet_id]
            if original is not None:
                counter = (original["legs"] or [original])[leg]["counter_account"]
            elif "entries" in operation:
                counter = operation["entries"][leg]["counter_account"]
            elif operation["type"] == "transfer":
                counter = f"wallet:{decision.legs[1 - leg].wallet_id}"
            else:
                counter = operation.get("counter_account", _COUNTERS[operation["type"]])
                if account.keeping == "mirrored":
                    counter = counter.replace("external:", "mirrored:")
            entries.append(
                {
                    "transaction_id": name,
                    "leg": leg,
                    "transaction_type": operation["type"],
                    "wallet_id": part.wallet_id,
                    "user_id": account.user_id,
                    "currency": account.currency,
                    "direction": "credit" if part.signed > 0 else "debit",
                    "amount": amount_text(abs(part.signed), account.exponent),
                    "balance_before": amount_text(part.balance_after - part.signed, account.exponent),
                    "balance_after": amount_text(part.balance_after, account.exponent),
                    "wallet_version": part.version,
                    "counter_account": counter,
                    "original_transaction_id": operation.get("original_transaction_id"),
                    "client_id": CLIENT,
                    "reference": operation.get("reference"),
                    "description": operation.get("reason"),
                    "metadata": {},
                    "effective_at": operation.get("effective_at", moment),
                    "created_at": moment,
                }
            )
        for entry in entries:
            wallet = self.wallets[entry["wallet_id"]]
            assert not wallet.entries or wallet.entries[-1]["created_at"] <= moment, "time ran backwards"
            self.wallets[wallet.wallet_id] = replace(wallet, entries=(*wallet.entries, entry))
        legs = entries if len(entries) > 1 else None
        self.documents[name] = {**entries[0], "legs": legs, "dry_run": False}

    def facts(self, code: str, operation: Operation) -> Document:
        """The facts of the problem with this code."""
        original = self.documents.get(operation.get("original_transaction_id", ""))
        source = original["wallet_id"] if original else operation.get("wallet_id", "")
        match code:
            case "amount_invalid" | "idempotency_key_reused":
                facts: Document = {}
            case "transaction_not_found" | "not_refundable":
                facts = {"transaction_id": operation["original_transaction_id"]}
            case "wallet_not_found":
                names = self._named_by(operation, source)
                facts = {"wallet_id": next(name for name in names if name not in self.model.accounts)}
            case "same_wallet":
                pairs = [
                    (each["wallet_id"], each["counter_account"]) for each in operation.get("entries", ())
                ]
                same = [name for name, counter in pairs if counter == f"wallet:{name}"]
                facts = {"wallet_id": (same or [source])[0]}
            case "balance_unchanged":
                facts = {"wallet_id": source}
            case "wallet_mirrored":
                names = self._named_by(operation, source)
                mirrored = [name for name in names if self.wallets[name].keeping == "mirrored"]
                facts = {"wallet_id": mirrored[0]}
            case "currency_mismatch":
                other = self.wallets[operation["to_wallet_id"]]
                facts = {"currency": self.wallets[source].currency, "to_currency": other.currency}
            case "amount_precision":
                currency = self._currency_of_the_finest(operation, source)
                facts = {"currency": currency, "exponent": EXPONENTS[currency]}
            case "refund_exceeds":
                posting = self.model.postings[operation["original_transaction_id"]]
                left = amount_text(
                    posting.amount - posting.refunded, EXPONENTS[self.wallets[source].currency]
                )
                facts = {"transaction_id": operation["original_transaction_id"], "refundable": left}
            case _:
                facts = self._facts_of_movement(code, operation, original)
        return facts

    def _named_by(self, operation: Operation, source: str) -> list[str]:
        """The wallets of an operation, in the order of its entries."""
        if "entries" in operation:
            return [each["wallet_id"] for each in operation["entries"]]
        return [source, *([operation["to_wallet_id"]] if "to_wallet_id" in operation else [])]

    def _currency_of_the_finest(self, operation: Operation, source: str) -> str:
        """That of the first entry whose amount has too many decimals."""
        for entry in operation.get("entries", ()):
            currency = self.wallets[entry["wallet_id"]].currency
            if _too_fine(Decimal(str(entry["amount"])), EXPONENTS[currency]):
                return currency
        return self.wallets[source].currency

    def _unbalanced(self, operation: Operation) -> Document:
        """The first entry between two wallets whose pair does not add up, or is not of one currency."""
        sums: dict[frozenset[str], Decimal] = {}
        for entry in operation["entries"]:
            pair = frozenset((f"wallet:{entry['wallet_id']}", entry["counter_account"]))
            sums[pair] = sums.get(pair, Decimal(0)) + _signed_amount(entry)
        for entry in operation["entries"]:
            counter = entry["counter_account"]
            names = [name.removeprefix("wallet:") for name in (entry["wallet_id"], counter)]
            pair = frozenset((f"wallet:{entry['wallet_id']}", counter))
            if counter.startswith("wallet:") and (
                sums[pair] != 0 or len({self.wallets[name].currency for name in names}) > 1
            ):
                return {"wallet_id": entry["wallet_id"], "counter_account": counter}
        raise AssertionError("the entries balance")

    def _facts_of_movement(self, code: str, operation: Operation, original: Document | None) -> Document:
        if code == "entries_unbalanced":
            return self._unbalanced(operation)
        moved: dict[str, Decimal] = {}
        movements = self._movements(operation, original)
        for place, (wallet_id, signed) in enumerate(movements):
            account = self.model.accounts[wallet_id]
            balance = account.balance + moved.get(wallet_id, Decimal(0))
            if original is not None:
                balance += sum(amount for name, amount in movements[place + 1 :] if name == wallet_id)
            available = balance + account.credit_limit
            is_mirrored = account.keeping == "mirrored"
            moved[wallet_id] = moved.get(wallet_id, Decimal(0)) + signed
            if code == "insufficient_funds" and signed < 0 and available + signed < 0 and not is_mirrored:
                return {
                    "wallet_id": wallet_id,
                    "shortfall": amount_text(-signed - available, account.exponent),
                    "currency": account.currency,
                }
            if code == f"wallet_{account.status}" and (account.status == "closed" or signed < 0):
                return {"wallet_id": wallet_id}
            if code == "balance_limit" and signed > 0 and balance + signed >= LIMIT:
                return {"wallet_id": wallet_id}
            if code == "balance_limit" and is_mirrored and balance + signed <= -LIMIT:
                return {"wallet_id": wallet_id}
        raise AssertionError(f"no account is the reason for {code}")

    def _movements(self, operation: Operation, original: Document | None) -> list[tuple[str, Decimal]]:
        if original is not None:
            posting = self.model.postings[original["transaction_id"]]
            left = posting.amount - posting.refunded
            amount = Decimal(str(operation.get("amount", left)))
            if posting.is_whole:
                return [(leg.wallet_id, -leg.signed) for leg in posting.legs]
            return [(leg.wallet_id, amount if leg.signed < 0 else -amount) for leg in posting.legs]
        if "entries" in operation:
            return [(each["wallet_id"], _signed_amount(each)) for each in operation["entries"]]
        if "balance" in operation:
            account = self.model.accounts[operation["wallet_id"]]
            return [(operation["wallet_id"], Decimal(operation["balance"]) - account.balance)]
        is_credit = operation["type"] in CREDITS or operation.get("direction") == "credit"
        signed = _signed_amount({**operation, "direction": "credit" if is_credit else "debit"})
        back = [(operation["to_wallet_id"], -signed)] if operation["type"] == "transfer" else []
        return [(operation["wallet_id"], signed), *back]

    # Documents

    def expected_wallet(self, wallet_id: str) -> Document:
        """The wallet as it is now, without its times."""
        wallet, account = self.wallets[wallet_id], self.model.accounts[wallet_id]
        balance = amount_text(account.balance, account.exponent)
        return {
            "wallet_id": wallet.wallet_id,
            "user_id": wallet.user_id,
            "organization_id": None,
            "name": wallet.name,
            "wallet_type": "fiat",
            "currency": wallet.currency,
            "keeping": wallet.keeping,
            "network": None,
            "address": None,
            "balance": balance,
            "locked_balance": amount_text(Decimal(0), account.exponent),
            "available_balance": balance,
            "credit_limit": amount_text(account.credit_limit, account.exponent),
            "status": account.status,
            "is_primary": wallet.is_primary,
            "version": wallet.version,
            "last_entry": account.version,
            "metadata": wallet.metadata,
        }

    def is_wallet(self, document: Document, etag: str | None = None) -> None:
        """The document is this wallet as it is now; its times are not checked."""
        expected = self.expected_wallet(document["wallet_id"])
        assert_equal({name: document[name] for name in expected}, expected)
        assert_equal(set(document) - set(expected), {"created_at", "updated_at"})
        if etag is not None:
            assert_equal(etag, f'"{expected["version"]}.{expected["last_entry"]}"')


def _finer(amount: Decimal, currency: str, exponent: int) -> tuple[str, Document] | None:
    """The refusal of an amount with more decimals than its currency; None: it has not."""
    facts = {"currency": currency, "exponent": exponent}
    return ("amount_precision", facts) if _too_fine(amount, exponent) else None


def _too_fine(amount: Decimal, exponent: int) -> bool:
    return amount != round(amount, exponent)


def _signed_amount(entry: Operation) -> Decimal:
    amount = Decimal(str(entry["amount"]))
    return amount if entry["direction"] == "credit" else -amount


def _amount_fault(operation: Operation) -> bool:
    try:
        amount = Decimal(str(operation.get("amount", "1")))
    except InvalidOperation:
        return True
    return not amount.is_finite() or not 0 < amount < LIMIT

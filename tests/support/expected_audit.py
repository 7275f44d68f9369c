"""The entries of the audit trail that the changes of a wallet leave, computed from its versions in the oracle."""

from collections.abc import Sequence

from support.expectations import Document, assert_equal
from support.oracle import CLIENT, MONEY, Wallet

ACTIONS = ("wallet.created", "wallet.updated", "wallet.frozen", "wallet.unfrozen", "wallet.closed")

_TIMES = frozenset({"created_at", "updated_at"})


def check_entries(entries: Sequence[Document], wallet: Wallet) -> None:
    """The entries of a wallet, oldest first, are those of its versions: one for each, and no other."""
    assert_equal(
        [entry["action"] for entry in entries],
        [_action(*versions) for versions in _changes(wallet)],
    )
    assert_equal(len({entry["event_id"] for entry in entries} - {None}), len(entries))
    for entry, (before, after) in zip(entries, _changes(wallet), strict=True):
        caller = {"actor": f"client:{CLIENT}", "client_id": CLIENT, "on_behalf_of": None}
        whose = {"object_id": wallet.wallet_id, "user_id": wallet.user_id}
        assert_equal({name: entry[name] for name in (*caller, *whose)}, caller | whose)
        assert entry["request_id"], "no request is named"
        assert_equal(_properties(entry["before"]), before and _masked(before))
        assert_equal(_properties(entry["after"]), _masked(after))
        _check_money(entry, wallet)
        if before is None:
            assert_equal(entry["changed"], None)
        else:
            # The time of a change can be the same as that of the change before.
            found = [pointer for pointer in entry["changed"] if pointer != "/updated_at"]
            assert_equal(found, _differences(before, after))


def _changes(wallet: Wallet) -> list[tuple[Document | None, Document]]:
    """Each version with the one before."""
    return list(zip((None, *wallet.past[:-1]), wallet.past, strict=True))


def _action(before: Document | None, after: Document) -> str:
    if before is None:
        return "wallet.created"
    if before["status"] == after["status"]:
        return "wallet.updated"
    return {"closed": "wallet.closed", "frozen": "wallet.frozen", "active": "wallet.unfrozen"}[
        after["status"]
    ]


def _masked(properties: Document) -> Document:
    return properties | {"metadata": dict.fromkeys(properties["metadata"], "***")}


def _properties(document: Document | None) -> Document | None:
    """The document without money and times."""
    if document is None:
        return None
    return {name: value for name, value in document.items() if name not in MONEY | _TIMES}


def _check_money(entry: Document, wallet: Wallet) -> None:
    """A change moves no money: before and after have that of one entry of the wallet."""
    money = {name: entry["after"][name] for name in MONEY}
    if entry["before"] is not None:
        assert_equal({name: entry["before"][name] for name in MONEY}, money)
    posted = money["last_entry"]
    if posted:
        assert_equal(money["balance"], wallet.entries[posted - 1]["balance_after"])
    else:
        assert float(money["balance"]) == 0


def _differences(before: Document, after: Document) -> list[str]:
    """The members that differ, as JSON pointers, in order."""
    pointers = [f"/{name}" for name in after if name != "metadata" and before[name] != after[name]]
    old, new = before["metadata"], after["metadata"]
    pointers += [f"/metadata/{name}" for name in {**old, **new} if old.get(name) != new.get(name)]
    return sorted(pointers)

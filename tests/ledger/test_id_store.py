"""Ids that don't fit into memory are in a file, and come back by part and in order."""

import tempfile
from pathlib import Path

import pytest

from wallet_service.ledger.id_store import ID_BYTES, PARTS, IdStore, split


def _ids(count: int) -> list[bytes]:
    return [number.to_bytes(ID_BYTES, "big") for number in range(count)]


def _of(store: IdStore, part: int) -> list[bytes]:
    return list(split(store.part(part)))


@pytest.mark.parametrize("segment_bytes", [ID_BYTES, 5 * ID_BYTES, 10_000 * ID_BYTES])
def test_ids_come_back_by_part(segment_bytes: int) -> None:
    ids = _ids(2000)
    store = IdStore(segment_bytes)
    store.add(b"".join(ids[:800]))
    store.add(b"".join(ids[800:]))
    parts = [_of(store, part) for part in range(PARTS)]
    assert sorted(one for part in parts for one in part) == ids
    assert all(part == sorted(part) for part in parts)
    again = next(number for number, part in enumerate(parts) if ids[1] in part)
    store.add(ids[1])  # after a read, the file grows at its end
    assert [_of(store, part) for part in range(PARTS)] == [
        [*part, ids[1]] if number == again else part for number, part in enumerate(parts)
    ]
    store.close()


def test_memory_is_bounded_and_the_file_has_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    store = IdStore(8 * ID_BYTES)
    store.add(b"".join(_ids(10_000)))
    assert store.memory_bytes < PARTS * 8 * ID_BYTES
    assert list(tmp_path.iterdir()) == []
    store.close()


def test_few_ids_need_no_folder_for_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    store = IdStore()
    store.add(b"".join(_ids(1000)))
    assert sum(len(store.part(part)) for part in range(PARTS)) == 1000 * ID_BYTES
    store.close()

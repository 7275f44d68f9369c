import time
import uuid

from wallet_service.core.identifiers import new_id


def test_ids_are_uuid_7_in_lower_case() -> None:
    text = new_id()
    read = uuid.UUID(text)
    assert (str(read), read.version, read.variant) == (text, 7, uuid.RFC_4122)


def test_ids_carry_the_time_and_sort_in_order_of_making() -> None:
    before_ms = time.time_ns() // 1_000_000
    made = [new_id() for _ in range(2000)]
    after_ms = time.time_ns() // 1_000_000
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(before_ms <= uuid.UUID(text).int >> 80 <= after_ms for text in (made[0], made[-1]))

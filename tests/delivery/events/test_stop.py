"""Streams of the running service end when it stops, long before requests would be cancelled."""

import json
import threading
import time
from pathlib import Path

import httpx
from support.service import serving

GRACE_MS = 120_000


def test_a_stop_ends_streams(own_folder: Path) -> None:
    with serving(own_folder / "data", WALLET_SHUTDOWN_GRACE_MS=str(GRACE_MS)) as service:
        headers = {"Authorization": f"Bearer {service.key}"}
        with httpx.Client(base_url=f"{service.url}/api/v1", headers=headers, timeout=60) as client:
            began, lines = threading.Event(), list[str]()

            def read() -> None:
                with client.stream("GET", "/events/stream") as answer:
                    for line in answer.iter_lines():
                        lines.append(line)
                        began.set()

            reading = threading.Thread(target=read)
            reading.start()
            assert began.wait(60)
            wallet = {"user_id": "ann", "currency": "CREDIT", "initial_balance": "1"}
            assert client.post("/wallets", json=wallet).status_code == 201
            while not any("transaction.posted" in line for line in lines):
                assert reading.is_alive()
                time.sleep(0.02)
            started = time.monotonic()
            assert service.stop() == 0
            reading.join(60)
            assert time.monotonic() - started < GRACE_MS / 2000
    events = [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]
    assert [event["type"] for event in events] == ["wallet.created", "transaction.posted"]

"""Dockerfile and compose file: what a linter would say, and the health check really run."""

import json
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
REQUIRED = re.compile(r"\$\{\w+:\?.+\}")


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in lines if line.strip()]


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def health_command() -> list[str]:
    text = next(rest for name, rest in instructions() if name == "HEALTHCHECK")
    return json.loads(text.partition(" CMD ")[2] if " CMD " in text else text.partition("CMD ")[2])


def tagged(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return bool(tag) and not tag.startswith("latest")


def test_base_images_are_pinned_by_a_tag() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    assert len(images) > 1
    assert all(tagged(image) for image in images), images


def test_the_last_user_is_not_root() -> None:
    last_stage = [name for name, _ in instructions()].index("FROM", 1)
    users = [rest for name, rest in instructions()[last_stage:] if name == "USER"]
    assert users
    assert users[-1] not in {"root", "0"}


def test_every_package_is_hashed() -> None:
    installs = [
        part
        for name, rest in instructions()
        if name == "RUN"
        for part in rest.split("&&")
        if "pip install" in part
    ]
    assert installs
    for part in installs:
        assert "--require-hashes" in part or "--no-index" in part, part


def test_what_is_copied_exists_and_is_in_the_context() -> None:
    assert not [rest for name, rest in instructions() if name == "ADD"]
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert (ROOT / ".dockerignore").read_text().startswith("*\n")
    for name, rest in instructions():
        if name == "COPY" and not rest.startswith("--from"):
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert source.split("/")[0] in kept, source


def test_the_health_check_tells_well_from_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/health/live": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(answers.get(self.path, 404))
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("WALLET_PORT", str(server.server_port))
        command = [sys.executable, *health_command()[1:]]
        try:
            assert subprocess.run(command, check=False, capture_output=True).returncode == 0
            answers["/health/live"] = 503
            assert subprocess.run(command, check=False, capture_output=True).returncode != 0
        finally:
            server.shutdown()
            thread.join()
    assert subprocess.run(command, check=False, capture_output=True).returncode != 0


def test_compose_pins_images_and_waits_for_a_healthy_database() -> None:
    services = compose()["services"]
    for service in services.values():
        assert "build" in service or tagged(service["image"])
    assert services["postgres"]["healthcheck"]["test"]
    assert services["wallet"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_compose_ships_no_secret_and_opens_no_port_to_the_world() -> None:
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|KEY|SECRET|URL", name):
                assert REQUIRED.search(value), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_compose_keeps_data_in_named_volumes() -> None:
    declared = set(compose()["volumes"])
    used = {
        volume.partition(":")[0]
        for service in compose()["services"].values()
        for volume in service.get("volumes", [])
    }
    assert used == declared


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode != 0,
    reason="docker compose is not installed",
)
def test_docker_reads_the_compose_file(monkeypatch: pytest.MonkeyPatch) -> None:
    config = ["docker", "compose", "--file", str(ROOT / "docker-compose.yml"), "config", "--quiet"]
    monkeypatch.setenv("POSTGRES_PASSWORD", "p" * 32)
    monkeypatch.setenv("WALLET_ADMIN_KEY", "k" * 32)
    read = subprocess.run(config, capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    monkeypatch.delenv("POSTGRES_PASSWORD")
    assert subprocess.run(config, capture_output=True, check=False).returncode != 0

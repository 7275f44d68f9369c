"""Dockerfile and compose file: what a linter would say, and the health check really run."""

import json
import os
import re
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.dockerfile import instructions, stage
from support.settings import VARIABLES

from wallet_service.platform.database.connections import LONGEST_RELEASE_S
from wallet_service.platform.telemetry.tracing import FLUSH_S

ROOT = Path(__file__).parent.parent
HADOLINT = Path(sys.prefix) / "bin" / "hadolint"
SECRET = re.compile(r"PASSWORD|KEY$|SECRET")
FROM_ENVIRONMENT = re.compile(r"\$\{\w+(:\?.+|-)\}")


def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def health_command() -> list[str]:
    text = next(step.rest for step in instructions() if step.name == "HEALTHCHECK")
    return json.loads(text.partition("CMD ")[2])


def tagged(image: str) -> bool:
    tag = image.rpartition("/")[2].partition(":")[2]
    return bool(tag) and not tag.startswith("latest")


def test_the_linter_has_nothing_to_say() -> None:
    said = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


def test_base_images_are_pinned_by_a_tag() -> None:
    pinned = {step.rest.partition("=")[2] for step in instructions() if step.name == "ARG"}
    assert pinned
    assert all(tagged(image) for image in pinned)
    stages = {step.rest.split()[-1] for step in instructions() if step.name == "FROM"}
    bases = {step.rest.split()[0] for step in instructions() if step.name == "FROM"}
    assert bases - stages == {"${PYTHON}"}


def test_the_last_user_of_each_image_is_not_root() -> None:
    for name in ("service", "upstreams"):
        users = [step.rest for step in stage(name) if step.name == "USER"]
        assert users
        assert all(re.fullmatch(r"[1-9]\d*:[1-9]\d*", user) for user in users), users


def test_every_package_is_hashed() -> None:
    installs = [
        part
        for step in instructions()
        if step.name == "RUN"
        for part in step.rest.split("&&")
        if " install " in part and "pip" in part
    ]
    assert installs
    for part in installs:
        assert "--require-hashes" in part or "--no-index" in part, part


def test_the_health_check_distinguishes_healthy_from_unhealthy(monkeypatch: pytest.MonkeyPatch) -> None:
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
        assert "build" in service or tagged(service["image"]) or service["pull_policy"] == "never"
    assert services["postgres"]["healthcheck"]["test"]
    assert services["wallet"]["depends_on"]["postgres"]["condition"] == "service_healthy"


def test_compose_ships_no_secret_and_opens_no_port_to_the_world() -> None:
    for service in compose()["services"].values():
        for name, value in service.get("environment", {}).items():
            if SECRET.search(name) or "@" in value:
                assert FROM_ENVIRONMENT.search(value), name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_grafana_does_not_start_without_its_password() -> None:
    entrypoint = [word.replace("$$", "$") for word in compose()["services"]["grafana"]["entrypoint"]]
    assert entrypoint[-1].endswith("exec /run.sh")
    entrypoint[-1] = entrypoint[-1].replace("/run.sh", "echo started")

    def start(password: str) -> tuple[bool, str]:
        environment = {"PATH": os.environ["PATH"], "GF_SECURITY_ADMIN_PASSWORD": password}
        done = subprocess.run(entrypoint, env=environment, capture_output=True, text=True, check=False)
        return done.returncode == 0, done.stdout + done.stderr

    assert start("long and secret") == (True, "started\n")
    started, said = start("")
    assert not started
    assert "GRAFANA_PASSWORD is not set" in said


def test_compose_keeps_data_in_named_volumes_and_mounts_only_what_is_there() -> None:
    volumes = [
        volume.split(":")
        for service in compose()["services"].values()
        for volume in service.get("volumes", [])
    ]
    named = {volume[0] for volume in volumes if not volume[0].startswith((".", "${"))}
    assert named == set(compose()["volumes"])
    keys = ["${WALLET_CREDENTIAL_KEYS_FILE", "-/dev/null}", "/run/credential.keys", "ro"]
    assert [volume for volume in volumes if volume[0].startswith("${")] == [keys] * 5
    for source, _, *mode in (volume for volume in volumes if volume[0].startswith(".")):
        assert (ROOT / source).exists(), source
        assert mode == ["ro"], source


def test_our_own_containers_can_write_nowhere_and_do_nothing_more() -> None:
    own = [
        service
        for service in compose()["services"].values()
        if "build" in service or service["image"] == "wallet-service"
    ]
    assert len(own) == 7
    for service in own:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def test_each_image_is_built_once() -> None:
    """Of several that build one tag at once, some fail."""
    built = [service.get("image") for service in compose()["services"].values() if "build" in service]
    assert sorted(map(str, built)) == ["None", "wallet-service"]


def test_the_grace_of_a_stop_is_longer_than_the_service_takes() -> None:
    """Whatever hangs: Consul, a request, the database, the collector of traces."""

    def default(name: str) -> float:
        model, field = VARIABLES[f"WALLET_{name.upper()}_MS"]
        return model.model_fields[field].default / 1000

    takes_s = 3 * default("consul_timeout") + default("consul_leave_pause") + default("shutdown_grace")
    takes_s += default("database_timeout") + LONGEST_RELEASE_S + FLUSH_S
    assert takes_s < 25
    assert compose()["services"]["wallet"]["stop_grace_period"] == "30s"

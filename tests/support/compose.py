"""docker-compose.yml without an engine: docker compose reads the file, and its services run as local processes."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from support.cluster import Cluster
from support.consul_agent import ConsulAgent
from support.external_programs import RunningProgram, free_port, program, status
from support.service import ROOT, Service, environment, serving, wait_for
from support.supabase_gateway import as_root
from support.supabase_project import OWNER

FILE = ROOT / "docker-compose.yml"
_NGINX = """
daemon off;
master_process off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/errors.log crit;
events {{}}
http {{
  client_body_temp_path {folder}/bodies;
  proxy_temp_path {folder}/answers;
  fastcgi_temp_path {folder}/unused;
  uwsgi_temp_path {folder}/unused;
  scgi_temp_path {folder}/unused;
  include {folder}/default.conf;
}}
"""
"""The configuration around conf.d/default.conf in the image."""


def new_secrets() -> dict[str, str]:
    """The variables that scripts/compose_env.py prints for a file .env."""
    printed = subprocess.run(
        [sys.executable, ROOT / "scripts" / "compose_env.py"], capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split("=", 1) for line in printed.splitlines())


def read(variables: Mapping[str, str], *profiles: str) -> dict[str, Any]:
    """The file as docker compose reads it.

    Raises:
        ServiceMissingError: there is no docker-compose.
    """
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    command = [program("docker-compose"), "--file", FILE, *chosen, "config", "--format", "json"]
    bare = {"PATH": os.environ["PATH"], **variables}
    done = subprocess.run(command, env=bare, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def gateway_command(folder: Path, text: str, port: int) -> list[Any]:
    """The command that runs nginx with this text of deploy/gateway.conf on a local port."""
    (folder / "default.conf").write_text(text.replace("listen 8000;", f"listen 127.0.0.1:{port};"))
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, user=as_root()))
    return [program("nginx"), "-p", folder, "-c", configuration, "-e", "stderr"]


class Replay:
    """The profile ``full`` on this machine: each service's command, environment and files, with other addresses.

    Supabase's Postgres is a database with the same roles; nothing else but Grafana is left out.

    Attributes:
        secrets: of the file .env.
        consul: the agent.
        prometheus, stand_in: where it, and the upstreams, answer.
    """

    def __init__(self, folder: Path, cluster: Cluster, database: str) -> None:
        self.secrets = new_secrets()
        self._services: dict[str, Any] = read(self.secrets, "full")["services"]
        self._folder, self._cluster, self._database = folder, cluster, database
        self._stack = ExitStack()
        self._addresses = {
            f"{host}:{port}": f"127.0.0.1:{free_port()}"
            for host, port in (
                ("postgrest", 3000),
                ("gateway", 8000),
                ("redis", 6379),
                ("prometheus", 9090),
                ("wallet-1", 9208),
                ("wallet-2", 9208),
                ("worker-1", 9208),
                *(("upstreams", port) for port in self._stand_in_ports()),
            )
        }
        self.prometheus = f"http://{self._addresses['prometheus:9090']}"
        self.stand_in = f"http://{self._addresses['upstreams:8202']}"
        self.consul = ConsulAgent(config=self._file("consul", "/upstreams.hcl"))
        self._addresses["consul:8500"] = self.consul.url.removeprefix("http://")

    def environment(self, service: str) -> dict[str, str]:
        """The service's environment, with addresses of this machine."""
        return {
            name: self._here(value) for name, value in (self._services[service]["environment"] or {}).items()
        }

    def run_migrate(self) -> None:
        """Run the service ``migrate`` to its end."""
        assert self._services["migrate"]["command"] == ["wallet-service", "migrate"]
        self.command("migrate")

    def command(self, *arguments: str) -> str:
        """The output of ``wallet-service`` with these arguments, in the environment of ``migrate``."""
        done = subprocess.run(
            [sys.executable, "-m", "wallet_service", *arguments],
            env=environment(self._folder, **self.environment("migrate")),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def started(self) -> Generator["Replay", None, None]:
        """Everything but the instances of the service."""
        with self._stack:
            self._stack.callback(self.consul.close)
            self.consul.start()
            self._start_upstreams()
            self._start_redis()
            self.run_migrate()
            self._start_postgrest()
            self._start_gateway()
            self._start_prometheus()
            yield self

    def targets(self) -> dict[str, str]:
        """The health of each target of Prometheus, by its address in the compose file."""
        found = httpx.get(f"{self.prometheus}/api/v1/targets").json()["data"]["activeTargets"]
        there = {here: name for name, here in self._addresses.items()}
        return {there[target["labels"]["instance"]]: target["health"] for target in found}

    def instance(self, service: str, **settings: str) -> Service:
        """An instance of the wallet service, in a folder that it can't write."""
        folder = self._folder / "read-only"
        folder.mkdir(mode=0o500, exist_ok=True)
        chosen = {**self.environment(service), **settings}
        chosen["WALLET_METRICS_PORT"] = str(self._port(f"{service}:{chosen['WALLET_METRICS_PORT']}"))
        return self._stack.enter_context(serving(folder, **chosen))

    def _start_upstreams(self) -> None:
        ports = [self._port(f"upstreams:{port}") for port in self._stand_in_ports()]
        words = ["tests/support/stand_in.py", *map(str, ports)]
        self._run("upstreams", sys.executable, ROOT / words[0], *words[1:])
        for port in ports:
            wait_for(lambda: status(port, "/health") == 200)  # noqa: B023 - called at once

    def _start_redis(self) -> None:
        name, *words = self._services["redis"]["command"]
        self._run("redis", program(name), *words, "--port", self._port("redis:6379"), "--dir", self._folder)

    def _start_postgrest(self) -> None:
        admin = free_port()
        port = self._port("postgrest:3000")
        settings = {
            **self.environment("postgrest"),
            "PGRST_SERVER_PORT": str(port),
            "PGRST_SERVER_HOST": "127.0.0.1",
            "PGRST_ADMIN_SERVER_PORT": str(admin),
        }
        named = [f"{name}={value}" for name, value in settings.items()]
        self._run("postgrest", "env", *named, program("postgrest"))
        wait_for(lambda: status(admin, "/ready") == 200)

    def _start_gateway(self) -> None:
        port = self._port("gateway:8000")
        text = self._file("gateway", "/etc/nginx/conf.d/default.conf")
        self._run("gateway", *gateway_command(self._folder, text, port))
        wait_for(lambda: status(port, "/") is not None)

    def _start_prometheus(self) -> None:
        for name in ("prometheus.yml", "alerts.yml"):
            text = self._file("prometheus", f"/etc/prometheus/{name}")
            (self._folder / name).write_text(text.replace("_interval: 15s", "_interval: 1s"))
        address = self._addresses["prometheus:9090"]
        files = [
            f"--config.file={self._folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self._folder / 'tsdb'}",
        ]
        self._run("prometheus", program("prometheus"), *files, f"--web.listen-address={address}")
        wait_for(lambda: status(int(address.rpartition(":")[2]), "/-/ready") == 200)

    def _run(self, service: str, *command: Any) -> None:
        running = RunningProgram(f"compose-{service}-{secrets.token_hex(4)}", *map(str, command))
        self._stack.callback(running.stop)

    def _file(self, service: str, target: str) -> str:
        """A file that is mounted into the service."""
        source = next(
            volume["source"] for volume in self._services[service]["volumes"] if volume["target"] == target
        )
        return self._here(Path(source).read_text())

    def _port(self, address: str) -> int:
        return int(self._addresses[address].rpartition(":")[2])

    def _stand_in_ports(self) -> list[int]:
        """The ports of the image's command."""
        stage = (ROOT / "Dockerfile").read_text().partition(" AS upstreams\n")[2].partition("\nFROM ")[0]
        return [int(word) for word in re.findall(r'"(\d+)"', stage)]

    def _here(self, text: str) -> str:
        """The same with local addresses, also where host and port are two fields."""
        if text.startswith("postgresql://"):
            user = urlsplit(text).username or ""
            return self._cluster.dsn(self._database, OWNER if user == "postgres" else user)
        for there, here in self._addresses.items():
            text = text.replace(there, here)
            name, _, port = there.rpartition(":")
            host, _, new = here.rpartition(":")
            text = re.sub(
                rf'address = "{name}"(\s+)port( +)= {port}\b', rf'address = "{host}"\1port\2= {new}', text
            )
        return text

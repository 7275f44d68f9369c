"""Real Consul agents in development mode, each on its own ports, and a view of their catalog."""

import asyncio
import json
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import httpx

from support.external_programs import ReservedPort, RunningProgram, free_port, program

LONGEST_S = 30
_BETWEEN_LOOKS_S = 0.02
_TRIES = 5


class ConsulAgent:
    """A server and agent that keeps nothing over a restart, as with ``-dev``.

    Attributes:
        url: where it answers, with the same port after a restart.
        secure_url: the same over TLS, where the agent has it.
        token: with which ``get`` and ``put`` ask.
    """

    def __init__(self, token: str = "", config: str = "", url: str | None = None) -> None:
        self.token = token
        self._url = url  # of an agent that is already running, which this one never starts
        self.secure_url = ""
        self._config = config
        self._port = None if url else ReservedPort()
        self._running: RunningProgram | None = None
        # No connection is kept open: the agent restarts.
        self._client = httpx.Client(limits=httpx.Limits(max_keepalive_connections=0), timeout=LONGEST_S)

    @property
    def url(self) -> str:
        return self._url or f"http://127.0.0.1:{self._own_port.number}"

    def start(self) -> None:
        """Start it; return when it is its own leader. Where one of its inner ports was taken, it gets others."""
        for _ in range(_TRIES):
            self._running = self._run()
            deadline = time.monotonic() + LONGEST_S
            while not self._running.has_ended():
                if self._leads():
                    return
                assert time.monotonic() < deadline, self._running.log.read_text()
                time.sleep(_BETWEEN_LOOKS_S)
            self._running.stop()
        raise AssertionError(self._running.log.read_text() if self._running else "")

    def stop(self) -> None:
        if self._running is not None:
            self._running.stop()
            self._running = None

    def leave(self) -> str:
        """Its address; it runs until the tests end."""
        if self._running is not None:
            self._running.keep_running()
        self._own_port.release()
        self._client.close()
        return self.url

    def close(self) -> None:
        self.stop()
        if self._port is not None:
            self._port.release()
        self._client.close()

    def get(self, path: str, **params: str) -> Any:
        answer = self._client.get(f"{self.url}/v1/{path}", params=params, headers=self._headers)
        assert answer.is_success, answer.text
        return answer.json()

    def put(self, path: str, body: Any = None) -> Any:
        answer = self._client.put(
            f"{self.url}/v1/{path}", content=json.dumps(body) if body else b"", headers=self._headers
        )
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def states(self, service: str) -> dict[str, str]:
        """The state of each instance's own check, by the id of the instance."""
        return {
            entry["Service"]["ID"]: next(
                check["Status"] for check in entry["Checks"] if check["ServiceID"] == entry["Service"]["ID"]
            )
            for entry in self.get(f"health/service/{service}")
        }

    def add(self, service: str, port: int, status: str = "passing") -> str:
        """Register an instance whose state ``turn`` sets. Returns its id."""
        name = f"{service}-{port}"
        check = {"TTL": "1h", "Status": status, "CheckID": name}
        body = {"ID": name, "Name": service, "Address": "127.0.0.1", "Port": port, "Check": check}
        self.put("agent/service/register", body)
        self._until_in_catalog(service, name, there=True)
        return name

    def turn(self, instance: str, status: str) -> None:
        self.put(f"agent/check/update/{instance}", {"Status": status})

    def remove(self, instance: str) -> None:
        self.put(f"agent/service/deregister/{instance}")

    def clear(self) -> None:
        """Deregister every service, and return when the catalog has none of them."""
        for instance, entry in self.get("agent/services").items():
            self.remove(instance)
            self._until_in_catalog(entry["Service"], instance, there=False)

    def _until_in_catalog(self, service: str, instance: str, *, there: bool) -> None:
        # The agent has it at once and syncs it to the servers, which answer health queries, a little later.
        deadline = time.monotonic() + LONGEST_S
        while (
            instance in {entry["ServiceID"] for entry in self.get(f"catalog/service/{service}")}
        ) is not there:
            assert time.monotonic() < deadline, f"{instance}: {there}"
            time.sleep(_BETWEEN_LOOKS_S)

    @property
    def _own_port(self) -> ReservedPort:
        assert self._port is not None, "another one started it"
        return self._port

    @property
    def _headers(self) -> dict[str, str]:
        return {"X-Consul-Token": self.token} if self.token else {}

    def _leads(self) -> bool:
        try:
            # It accepts entries once its own node is in the catalog.
            return len(self._client.get(f"{self.url}/v1/status/leader").json()) > 0 and bool(
                self.get("catalog/nodes")
            )
        except (httpx.HTTPError, ValueError, AssertionError):
            return False

    def _run(self) -> RunningProgram:
        http, server, serf = self._own_port.number, free_port(), free_port()
        return RunningProgram(
            f"consul-{secrets.token_hex(4)}",
            program("consul"),
            "agent",
            "-dev",
            "-bind=127.0.0.1",
            "-client=127.0.0.1",
            f"-node=node-{http}",
            f"-http-port={http}",
            f"-server-port={server}",
            f"-serf-lan-port={serf}",
            "-serf-wan-port=-1",
            "-dns-port=-1",
            "-grpc-port=-1",
            *([f"-hcl={self._config}"] if self._config else []),
        )


@contextmanager
def consul_agent(token: str = "", config: str = "") -> Generator[ConsulAgent, None, None]:
    """An agent for as long as this is open."""
    agent = ConsulAgent(token, config)
    try:
        agent.start()
        yield agent
    finally:
        agent.close()


@contextmanager
def agent_with_acl() -> Generator[ConsulAgent, None, None]:
    """An agent that refuses requests without a token; ``put("acl/…")`` creates tokens."""
    token = "5e1f7e57-0000-4000-8000-000000000000"
    config = (
        f'acl {{ enabled = true default_policy = "deny" tokens {{ master = "{token}" agent = "{token}" }} }}'
    )
    with consul_agent(token, config) as agent:
        yield agent


@contextmanager
def secured_agent(folder: Path, consul: Path) -> Generator[tuple[ConsulAgent, Path], None, None]:
    """An agent with TLS besides HTTP, and the file of its certificate authority."""
    for made in (("ca", "create"), ("cert", "create", "-server", "-additional-ipaddress=127.0.0.1")):
        subprocess.run([consul, "tls", *made], cwd=folder, check=True, capture_output=True)
    certificate = folder / "dc1-server-consul-0"
    port = free_port()
    config = f'ports {{ https = {port} }} cert_file = "{certificate}.pem" key_file = "{certificate}-key.pem"'
    with consul_agent(config=config) as agent:
        agent.secure_url = f"https://127.0.0.1:{port}"
        yield agent, folder / "consul-agent-ca.pem"


def token_for(agent: ConsulAgent, rules: str) -> str:
    """A token with these rules."""
    name = f"policy-{secrets.token_hex(4)}"
    agent.put("acl/policy", {"Name": name, "Rules": rules})
    return agent.put("acl/token", {"Policies": [{"Name": name}]})["SecretID"]


async def eventually(condition: Callable[[], Any], longest_s: float = LONGEST_S) -> None:
    """Return when the condition holds. It is checked again and again in a thread, so it may call an agent."""
    async with asyncio.timeout(longest_s):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(_BETWEEN_LOOKS_S)


class Checked:
    """A server that Consul can check: it answers every path with ``status`` and records the paths."""

    def __init__(self) -> None:
        self.status = 200
        self.paths: set[str] = set()
        checked = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                checked.paths.add(self.path)
                self.send_response(checked.status)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

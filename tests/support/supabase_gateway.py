"""The gateway before PostgREST as at Supabase: path prefix /rest/v1 and a check of the key. One nginx for all tests."""

import grp
import json
import os
import secrets
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import jwt
from filelock import FileLock

from support.cluster import BASE
from support.external_programs import free_port, pids, program

_TRIES = 5
_CONFIGURATION = """
daemon on;
master_process off;
{user}
pid {pids}/nginx;
error_log {folder}/errors.log crit;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/bodies;
  proxy_temp_path {folder}/answers;
  fastcgi_temp_path {folder}/unused;
  uwsgi_temp_path {folder}/unused;
  scgi_temp_path {folder}/unused;
  client_max_body_size 0;
  client_body_buffer_size 1m;
  keepalive_requests 1000000;
  map_hash_bucket_size 512;
  map $http_apikey $token {{
    default "";
    "{keys.service_role}" "{keys.service_role}";
    "{keys.secret}" "{keys.service_role}";
    "{keys.anon}" "{keys.anon}";
    "{keys.publishable}" "{keys.anon}";
  }}
  map $http_authorization $authorization {{
    default $http_authorization;
    "" "Bearer $token";
    "~^Bearer sb_" "Bearer $token";
  }}
  map $http_apikey $refusal {{
    default '{{"message":"Invalid API key","hint":"Double check your API key."}}';
    "" '{{"message":"No API key found in request","hint":"No `apikey` request header was found."}}';
  }}
  server {{
    listen 127.0.0.1:{port};
    location ~ ^/(?<project>[a-z0-9_]+)/rest/v1(?<path>/.*)$ {{
      default_type application/json;
      if ($token = "") {{ return 401 $refusal; }}
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header Authorization $authorization;
      proxy_pass http://unix:{base}/$project.sock:$path$is_args$args;
    }}
  }}
}}
"""


@dataclass(frozen=True)
class Keys:
    """The keys of every project of this run of the tests.

    Attributes:
        jwt_secret: signs the legacy keys; only PostgREST knows it.
        service_role: a legacy key, which is a JWT.
        secret: a key of the newer kind (``sb_secret_…``) for the same role.
        anon: the legacy key for browsers.
        publishable: the newer one for the same role.
    """

    jwt_secret: str
    service_role: str
    secret: str
    anon: str
    publishable: str

    @classmethod
    def random(cls) -> "Keys":
        secret = secrets.token_hex(32)
        return cls(
            secret,
            _token(secret, "service_role"),
            f"sb_secret_{secrets.token_urlsafe(24)}",
            _token(secret, "anon"),
            f"sb_publishable_{secrets.token_urlsafe(24)}",
        )


@dataclass(frozen=True)
class Gateway:
    """The running gateway; it is at ``http://127.0.0.1:<port>/<project>/rest/v1``."""

    port: int
    keys: Keys


def gateway() -> Gateway:
    """The gateway of this run of the tests, started at first use.

    Raises:
        ServiceMissingError: there is no nginx.
    """
    folder = Path(os.environ[BASE]) / "gateway"
    folder.mkdir(exist_ok=True)
    described = folder / "gateway.json"
    with FileLock(f"{folder}.lock"):
        if not described.exists():
            keys = Keys.random()
            described.write_text(json.dumps({"port": _start(folder, keys), "keys": asdict(keys)}))
        read = json.loads(described.read_text())
    return Gateway(read["port"], Keys(**read["keys"]))


def as_root() -> str:
    """For nginx's configuration: started as root, its default user could not use PostgREST's sockets."""
    return f"user root {grp.getgrgid(0).gr_name};" if os.geteuid() == 0 else ""


def _start(folder: Path, keys: Keys) -> int:
    nginx = program("nginx")
    configuration, log = folder / "nginx.conf", folder / "errors.log"
    for _ in range(_TRIES):
        port = free_port()
        configuration.write_text(
            _CONFIGURATION.format(
                user=as_root(), folder=folder, base=folder.parent, pids=pids(), keys=keys, port=port
            )
        )
        # It goes to the background when it listens, or ends with an error.
        command = [nginx, "-p", folder, "-c", configuration, "-e", log]
        if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode == 0:
            return port
    raise RuntimeError(f"nginx does not start\n{log.read_text()}")


def _token(secret: str, role: str) -> str:
    now = int(time.time())
    claims = {"iss": "supabase", "ref": "tests", "role": role, "iat": now, "exp": now + 10 * 365 * 86_400}
    return jwt.encode(claims, secret, "HS256")

"""A real homeserver for tests: Synapse in its own venv, on a loopback port, with SQLite and no federation.

It may be stopped, killed and started again on the same port and data. Its log lies beside its data.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import socket
import sqlite3
import subprocess
from base64 import b64encode
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

PYTHON = Path(__file__).parents[1] / ".venv-synapse" / "bin" / "python"
HOST = "127.0.0.1"
SERVER_NAME = "valley.test"
ADMIN = "warden"
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 10
REQUEST_SECONDS_MAX = 60
POLL_SECONDS = 0.02
UNLIMITED = {"per_second": 10_000, "burst_count": 10_000}
LIMITS: Mapping[str, Any] = {
    "rc_message": UNLIMITED,
    "rc_registration": UNLIMITED,
    "rc_login": dict.fromkeys(("address", "account", "failed_attempts"), UNLIMITED),
    "rc_joins": dict.fromkeys(("local", "remote"), UNLIMITED),
    "rc_joins_per_room": UNLIMITED,
    "rc_invites": dict.fromkeys(("per_room", "per_user", "per_issuer"), UNLIMITED),
    "rc_key_requests": UNLIMITED,
    "rc_room_creation": UNLIMITED,
}


class SynapseError(Exception):
    """The homeserver did not do what a test needs of it."""


def password_of(name: str) -> str:
    """What somebody types to log in."""
    return f"{name} and a long walk"


def user_id(name: str) -> str:
    """Somebody's full name on the homeserver."""
    return f"@{name}:{SERVER_NAME}"


class Synapse:
    """A homeserver with all its data in `folder`. `limits` are added to the configuration, over generous ones."""

    def __init__(self, folder: Path, limits: Mapping[str, Any] | None = None) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = folder / "synapse.log"
        self.database = folder / "homeserver.db"
        self._shared = secrets.token_hex()
        self._process: subprocess.Popen[bytes] | None = None
        self._tokens: dict[str, str] = {}
        self._write({**LIMITS, **(limits or {})})

    # The process

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command: list[str | Path] = [
            PYTHON,
            "-m",
            "synapse.app.homeserver",
            "--config-path",
            self.folder / "homeserver.yaml",
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log, env=_environment())
        deadline = monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or monotonic() > deadline:
                self.stop()
                raise SynapseError(f"did not start: {self.log.read_text('utf-8', 'replace')[-2000:]}")
            sleep(POLL_SECONDS)

    def stop(self) -> None:
        """Let it end in order."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End it in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    # What an administrator does

    def register(self, name: str, shown: str = "", *, admin: bool = False) -> str:
        """Make an account, `shown` as people see it; return its user id. Its password is `password_of(name)`."""
        path = "/_synapse/admin/v1/register"
        nonce = self.request("GET", path)["nonce"]
        parts = (nonce, name, password_of(name), "admin" if admin else "notadmin")
        mac = hmac.new(self._shared.encode(), "\x00".join(parts).encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": parts[2], "admin": admin, "mac": mac}
        answer = self.request("POST", path, {**body, "displayname": shown or name, "inhibit_login": not admin})
        if admin:
            self._tokens[name] = answer["access_token"]
        return str(answer["user_id"])

    def log_in(self, name: str) -> str:
        """Log somebody in on a new device; return its access token."""
        who = {"type": "m.id.user", "user": name}
        body = {"type": "m.login.password", "identifier": who, "password": password_of(name)}
        return str(self.request("POST", "/_matrix/client/v3/login", body)["access_token"])

    def limit(self, name: str, *, per_second: int, burst: int) -> None:
        """Allow somebody only so many messages; 0 and 0 for any number."""
        path = f"/_synapse/admin/v1/users/{quote(user_id(name))}/override_ratelimit"
        self.administer("POST", path, {"messages_per_second": per_second, "burst_count": burst})

    def revoke(self, name: str) -> None:
        """End all of somebody's sessions."""
        path = f"/_synapse/admin/v2/users/{quote(user_id(name))}"
        self.administer("PUT", path, {"password": password_of(name), "logout_devices": True})

    def administer(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Send a request as the administrator."""
        if ADMIN not in self._tokens:
            self.register(ADMIN, admin=True)
        return self.request(method, path, body, self._tokens[ADMIN])

    def request(self, method: str, path: str, body: Mapping[str, Any] | None = None, token: str = "") -> dict[str, Any]:
        """Send a request; return what was answered. Raises SynapseError unless that is success."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with closing(HTTPConnection(HOST, self.port, timeout=REQUEST_SECONDS_MAX)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status >= 300:
            raise SynapseError(f"{method} {path}: {answer.status} {text.decode('utf-8', 'replace')}")
        found: dict[str, Any] = json.loads(text)
        return found

    def forget(self, name: str, *usages: str) -> None:
        """Lose somebody's signing keys of these usages and all signatures by them. Only while it is stopped."""
        user = user_id(name)
        with closing(sqlite3.connect(self.database)) as database, database:
            for usage in usages:
                found = (user, usage)
                query = "SELECT keydata FROM e2e_cross_signing_keys WHERE user_id = ? AND keytype = ?"
                for (kept,) in database.execute(query, found).fetchall():
                    [public] = json.loads(kept)["keys"].values()
                    database.execute("DELETE FROM devices WHERE user_id = ? AND device_id = ?", (user, public))
                database.execute("DELETE FROM e2e_cross_signing_keys WHERE user_id = ? AND keytype = ?", found)
            database.execute("DELETE FROM e2e_cross_signing_signatures WHERE user_id = ?", (user,))

    # Insides

    def _answers(self) -> bool:
        try:
            self.request("GET", "/_matrix/client/versions")
        except (OSError, HTTPException, SynapseError):
            return False
        return True

    def _write(self, limits: Mapping[str, Any]) -> None:
        """Write the configuration and the key it would else generate. JSON is YAML as well."""
        self.folder.mkdir(parents=True, exist_ok=True)
        seed = b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        (self.folder / "signing.key").write_text(f"ed25519 a_test {seed}\n", "utf-8")
        listener = {"port": self.port, "bind_addresses": [HOST], "type": "http", "resources": [{"names": ["client"]}]}
        config = {
            "server_name": SERVER_NAME,
            "public_baseurl": self.url,
            "report_stats": False,
            "listeners": [listener],
            "database": {"name": "sqlite3", "args": {"database": str(self.database)}},
            "log_config": str(self.folder / "log.yaml"),
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(self.folder / "signing.key"),
            "pid_file": str(self.folder / "homeserver.pid"),
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "registration_shared_secret": self._shared,
            "macaroon_secret_key": secrets.token_hex(),
            "form_secret": secrets.token_hex(),
            "bcrypt_rounds": 4,
            "url_preview_enabled": False,
            "presence": {"enabled": False},
            **limits,
        }
        handler = {"class": "logging.StreamHandler", "formatter": "plain"}
        log = {
            "version": 1,
            "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
            "handlers": {"console": handler},
            "root": {"level": "WARNING", "handlers": ["console"]},
        }
        (self.folder / "homeserver.yaml").write_text(json.dumps(config), "utf-8")
        (self.folder / "log.yaml").write_text(json.dumps(log), "utf-8")


def _environment() -> dict[str, str]:
    """Return our environment without what would send its requests elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


def _free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port

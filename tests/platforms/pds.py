"""A real PDS in a process of its own, with its stream told as by a Jetstream; needs Node and packages."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import httpx2

from tests.platforms.jetstream import Entry, FakeJetstream

PACKAGES = ("@atproto/pds", "@atproto/sync", "@did-plc/server")


def find_packages() -> Path | None:
    """Return the folder named by HUBBUB_PDS whose node_modules has the packages; None if there is none."""
    folder = Path(os.environ.get("HUBBUB_PDS", "/nowhere"))
    is_there = all((folder / "node_modules" / name).is_dir() for name in PACKAGES)
    return folder if is_there and _node() else None


class Pds:
    """Starts it, and relays what happens in it into a fake Jetstream; use it in a `with` block."""

    def __init__(self, packages: Path, folder: Path, relay: FakeJetstream) -> None:
        self._relay = relay
        self.complaints: list[bytes] = []
        """What it said on stderr; whole once it is closed."""
        folder.mkdir()
        ports = [_free_port(), _free_port()]
        script = str(Path(__file__).with_suffix(".mjs"))
        self._process = subprocess.Popen(
            [_node(), script, str(packages), str(folder), *map(str, ports)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "LOG_ENABLED": "false"},
        )
        said = self._process.stderr.readline()
        assert said == b"ready\n", said + self._process.stderr.read()
        self.client = httpx2.Client(base_url=f"http://localhost:{ports[0]}/xrpc/", timeout=30)
        self._threads = [threading.Thread(target=self._pass_on), threading.Thread(target=self._drain)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Pds:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._process.stdin.close()
        self._process.wait(20)
        for thread in self._threads:
            thread.join()
        self._process.stdout.close()
        self._process.stderr.close()

    def call(self, name: str, body: dict[str, object], token: str | None = None) -> dict[str, object]:
        """Call a procedure, as an account if a token is given; those of administrators as one."""
        auth = {"headers": {"Authorization": f"Bearer {token}"}} if token else {}
        if ".admin." in name:
            auth = {"auth": ("admin", "admin")}
        answer = self.client.post(name, json=body, **auth)
        assert answer.status_code == 200, answer.text
        return answer.json() if answer.content else {}

    def _pass_on(self) -> None:
        for line in self._process.stdout:
            event = json.loads(line)
            entry = Entry(
                time_us=event["time_us"],
                seq=len(self._relay.log) + 1,
                did=event["did"],
                kind=event["kind"],
                collection=event.get("commit", {}).get("collection", ""),
                v1=line.rstrip(),
                v2=b"",
            )
            self._relay.append(entry)

    def _drain(self) -> None:
        self.complaints += self._process.stderr.readlines()


def _node() -> str | None:
    return os.environ.get("HUBBUB_NODE") or shutil.which("node")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

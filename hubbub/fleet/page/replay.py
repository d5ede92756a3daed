"""Writes a simulation as one self-contained file: the live page's own pictures, and a slider over its time.

The file asks for nothing: its policy allows its own script, by its hash, and no connection.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from hubbub.disk import refusals
from hubbub.fleet.deliveries import DeliveryPlan
from hubbub.fleet.outcome import TenantOutcome
from hubbub.fleet.page.recorder import Recorder
from hubbub.fleet.page.story import tell_deliveries, tell_past, tell_spec
from hubbub.fleet.simulator import Simulation
from hubbub.fleet.spec import FleetSpec

_IMPORT = re.compile(r'^import \{ (.+?) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(
    r"^export (?:(?:async )?function\*? (\w+)|class (\w+)|const (\w+)|const \[([\w, ]+)\])", re.MULTILINE
)


def write_replay(path: Path, told: dict[str, Any]) -> int:
    """Write the page, and return its bytes.

    Raises:
        StorageError: the file cannot be written.
    """
    page = format_replay(told).encode("utf-8")
    with refusals("write", path):
        path.write_bytes(page)
    return len(page)


def replay_of(
    spec: FleetSpec,
    result: Simulation,
    recorder: Recorder,
    outcome: Sequence[TenantOutcome],
    *,
    policy: str,
    plan: DeliveryPlan | None = None,
) -> dict[str, Any]:
    """Return all that the page of a simulation is told; it opens where most jobs wait."""
    num_jobs = sum(each.num_jobs for each in outcome)
    busiest = max(range(len(recorder.frames)), key=lambda n: recorder.frames[n].moment.num_waiting, default=0)
    facts = (
        f"{num_jobs:,} jobs of {len(outcome)} tenants on {spec.num_gpus:,} GPUs under the policy {policy}, "
        f"{result.end_s / 86_400:.1f} days: {result.num_preemptions:,} preemptions, "
        f"{result.num_failures:,} failures, {result.energy_kws / 3.6e6:,.0f} MWh"
    )
    return {
        "title": "A fleet, replayed",
        "lead": facts + (f", ${result.spent_usd:,.0f} for rented GPUs." if result.spent_usd else "."),
        "foot": f"{len(recorder.history.moments):,} moments and {len(recorder.frames):,} frames of the "
        "replay; between two moments nothing is drawn. Money is exact by pool and day, and split by who "
        "held the GPUs at each moment.",
        "spec": tell_spec(spec),
        **tell_past(recorder.history.moments, recorder.roll.names if recorder.roll else [], recorder.bill),
        "deliveries": tell_deliveries(plan, spec),
        "frames": recorder.frames,
        "outcome": outcome,
        "end_s": result.end_s,
        "start_at": busiest,
    }


def format_replay(told: dict[str, Any]) -> str:
    """Return the page as HTML."""
    page = files("hubbub.fleet").joinpath("page")
    shared = files("hubbub.web").joinpath("page")
    style = "".join(place.joinpath(name).read_text("utf-8") for place, name in
                    ((shared, "look.css"), (page, "fleet.css")))  # fmt: skip
    script = _bundle("main", [])[1]
    icon = base64.b64encode(shared.joinpath("icon.svg").read_bytes()).decode()
    data = base64.b64encode(gzip.compress(msgspec.json.encode(told), 9, mtime=0)).decode()
    policy = (
        f"default-src 'none'; img-src data:; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    head, _, rest = page.joinpath("index.html").read_text("utf-8").partition('<link rel="icon"')
    body = rest[rest.index("</head>") :].replace("/page/icon.svg", f"data:image/svg+xml;base64,{icon}")
    return (
        head.replace("<title>", f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n<title>')
        + f'<link rel="icon" href="data:,">\n<style>{style}</style>\n'
        + body.replace(
            "</body>",
            f'<script type="text/plain" id="recorded">{data}</script>\n'
            f'<script type="module">{script}</script>\n</body>',
        )
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _bundle(name: str, done: list[str]) -> tuple[list[str], str]:
    """Write a module and what it imports as one script: each a function that returns what it exports."""
    text = _read_module(name)
    before = ""
    for match in _IMPORT.finditer(text):
        if match[2] not in done:
            before += _bundle(match[2], done)[1]
    done.append(name)
    exported = [part for match in _EXPORT.finditer(text) for part in (match[1], match[2], match[3]) if part]
    exported += [part for match in _EXPORT.finditer(text) if match[4] for part in match[4].split(", ")]
    body = _IMPORT.sub(r"const { \1 } = $\2;", text).replace("\nexport ", "\n")
    return done, f"{before}const ${name} = (() => {{\n{body}return {{ {', '.join(exported)} }};\n}})();\n"


def _read_module(name: str) -> str:
    for package in ("hubbub.fleet", "hubbub.web"):
        file = files(package).joinpath("page").joinpath(f"{name}.js")
        if file.is_file():
            return file.read_text("utf-8")
    raise AssertionError(f"no module {name}.js")

"""The programs of a pretend cluster: what runs a job, and what orders rented nodes and gives them back.

In Slurm these are CLOUD nodes (slurm.conf(5); Slurm's power saving guide). A real hall's programs call a
cloud instead, for instance with what `hubbub fleet apply --to skypilot:DIR` renders; these start and end a
slurmd.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path

from hubbub.fleet.spec import FleetSpec

_JOB = '#!/bin/sh\nexec "$@"\n'
"""Slurm hands a command over as arguments, and it is run as they are."""
_LISTENING = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_SETMASK, ())
os.execvp(sys.argv[1], sys.argv[1:])
"""
PROGRAMS = {
    "resume": """#!/bin/sh
# Slurm wants rented nodes, and lists them in $1; -b: to Slurm each has just booted.
# Slurm blocks signals here; jobs would never hear that they are to save and leave.
{environment}
for node in $(scontrol show hostnames "$1"); do
    setsid {python} -ES -c '{listening}' slurmd -D -b -N "$node" </dev/null >>{base}/log/daemons.log 2>&1 &
done
""",
    "suspend": """#!/bin/sh
# Slurm gives the rented nodes in $1 back.
{environment}
for node in $(scontrol show hostnames "$1"); do
    kill "$(cat {base}/run/slurmd-"$node".pid)"
done
""",
    "prolog": """#!/bin/sh
# Slurm looks every 30 s only whether a job's rented nodes came up, but at once when this ends.
case "$SLURM_JOB_NODELIST" in {rented}) ;; *) exit 0 ;; esac
{environment}
while sinfo --noheader --nodes="$SLURM_JOB_NODELIST" --format=%t | grep -q '[^a-z]'; do sleep .1; done
""",
}


def write_programs(directory: Path, spec: FleetSpec) -> None:
    """Write them; Slurm calls them with an empty PATH, and so they set what they need."""
    named = {"PATH": os.environ["PATH"], "SLURM_CONF": str(directory / "slurm.conf")}
    environment = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in named.items())
    rented = "|".join(f"{pool.name}-*" for pool in spec.pools if pool.is_rented)
    written = {"job": _JOB}
    for name, text in PROGRAMS.items() if rented else ():
        named = {"base": shlex.quote(str(directory)), "python": shlex.quote(sys.executable)}
        written[name] = text.format(environment=environment, listening=_LISTENING, rented=rented, **named)
    for name, text in written.items():
        program = directory / "run" / name
        program.write_text(text)
        program.chmod(0o755)

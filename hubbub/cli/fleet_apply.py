"""`hubbub fleet apply | check`: a fleet as another scheduler's own configuration, and such files checked."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hubbub.cli.options import json_option
from hubbub.cli.output import print_json, print_note
from hubbub.errors import InvalidInput

if TYPE_CHECKING:
    from hubbub.fleet.kueue_schema import Kueue
    from hubbub.fleet.spec import FleetSpec

KINDS = ("kueue", "skypilot", "slurm", "local")


@click.command()
@click.argument("fleet_file", metavar="FLEET.toml")
@click.option(
    "--to", "goal", required=True, metavar="KIND:DIR", help="kueue:DIR, skypilot:DIR, slurm:DIR or local:DIR."
)
@json_option
def apply(fleet_file: str, goal: str, as_json: bool) -> None:
    """Write a fleet as Kueue's objects or SkyPilot's tasks, or take it over into an engine that runs."""
    from hubbub.fleet.spec import read_fleet

    kind, _, where = goal.partition(":")
    if kind not in KINDS or not where:
        near = get_close_matches(kind, KINDS, n=1)
        raise click.UsageError(
            f"--to {goal[:80]!r}: write KIND:DIR, as {near[0] if near else KINDS[0]}:rendered; "
            f"kinds are {', '.join(KINDS)}"
        )
    spec = read_fleet(fleet_file)
    if kind in ("kueue", "skypilot"):
        done = (_to_kueue if kind == "kueue" else _to_skypilot)(spec, Path(where))
    else:
        done = _to_engine(spec, goal)
    if as_json:
        print_json({"to": kind, "done": done})
        return
    for line in done:
        click.echo(line)


def _to_kueue(spec: FleetSpec, directory: Path) -> list[str]:
    from hubbub.fleet.kueue import check_against, check_together, render, render_configuration
    from hubbub.fleet.strict import write_documents

    objects, configuration = render(spec), render_configuration(spec)
    check_together(objects)
    check_against(objects, spec)
    files = {directory / "objects.yaml": list[object](objects)}
    if configuration is not None:
        files[directory / "configuration.yaml"] = [configuration]
        print_note(
            "configuration.yaml is a part: merge it into the Kueue manager's own, else power is not counted"
        )
    for path, documents in files.items():
        write_documents(path, documents)
    print_note(f"{len(objects)} objects; take them over with: kubectl apply -f {directory / 'objects.yaml'}")
    return [str(path) for path in files]


def _to_skypilot(spec: FleetSpec, directory: Path) -> list[str]:
    from hubbub.fleet.skypilot import render
    from hubbub.fleet.strict import write_documents

    tasks = {directory / f"{name}.yaml": task for name, task in render(spec).items()}
    for path, task in tasks.items():
        write_documents(path, [task])
    print_note("one node a task; rent with: sky launch --num-nodes N FILE")
    return [str(path) for path in tasks]


def _to_engine(spec: FleetSpec, url: str) -> list[str]:
    from hubbub.fleet.launcher import open_launcher

    open_launcher(url).change(spec)
    tenants = [f"tenant {tenant.name}, priority {tenant.priority}" for tenant in spec.tenants]
    return tenants + [f"site {site.name}, {site.cap_kw:,g} kW" for site in spec.sites]


@click.command()
@click.argument("files", metavar="FILE.yaml...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--fleet", "fleet_file", metavar="FLEET.toml", help="Also check tenants and quotas against it.")
@json_option
def check(files: tuple[Path, ...], fleet_file: str | None, as_json: bool) -> None:
    """Check Kueue objects (v1beta2) and SkyPilot tasks (0.14.1): every field, names, quotas, circles."""
    from hubbub.fleet.kueue import check_against, check_together
    from hubbub.fleet.spec import read_fleet

    objects, num_tasks = [], 0
    for path in files:
        found, tasks = _read(path)
        objects += found
        num_tasks += tasks
    check_together(objects)
    if fleet_file:
        check_against(objects, read_fleet(fleet_file))
    if as_json:
        print_json({"kueue_objects": len(objects), "skypilot_tasks": num_tasks})
    else:
        click.echo(f"good: {len(objects)} Kueue objects, {num_tasks} SkyPilot tasks")


def _read(path: Path) -> tuple[list[Kueue], int]:
    from hubbub.fleet import kueue_schema, skypilot, strict

    objects: list[Kueue] = []
    num_tasks = 0
    documents: list[Any] = []
    for each in strict.read_documents(path):
        is_list = (
            isinstance(each, dict) and each.get("kind") == "List" and isinstance(each.get("items"), list)
        )
        documents += each["items"] if is_list else [each]
    for number, document in enumerate(documents, 1):
        try:
            if isinstance(document, dict) and ("apiVersion" in document or "kind" in document):
                objects.append(strict.check(document, kueue_schema.Kueue))
            else:
                strict.check(document, skypilot.Task)
                num_tasks += 1
        except InvalidInput as error:
            raise InvalidInput(f"{path}, document {number}: {error}") from None
    if not documents:
        raise InvalidInput(f"{str(path)!r} holds no document")
    return objects, num_tasks

"""What to do about nodes that fail: pure rules from what a scheduler tells to verdicts with reasons.

Nothing is probed and nothing kept: `verdicts` is handed all that is known of the last weeks, every time, so
a restart forgets nothing. Probing is for what is there already (DCGM, LBNL NHC, Meta's gcm).

Clear faults. What NVIDIA's catalogue answers with a reset, a reboot or service drains the node at once
(docs.nvidia.com/deploy/xid-errors, "Analyzing Xid Errors with the Xid Catalog"; the same in NVSentinel's
xiderrorsmapping.csv); a contained memory error moves the job. So do heartbeats that stay away.

Black holes. A broken node that ends every job at once draws the whole queue in: it drains after so many
different jobs in a row, of different owners where these are known, unless they fail elsewhere too.

Lemons. A node that was repaired again and again and still fails far more often than the others is taken
out for good (Kokolis et al., HPCA 2025, arXiv 2410.21680, section IV: lemon nodes). Its score is -log10 of
the probability that a usual node fails so often, by Poisson, expecting what the others average.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

Kind: TypeAlias = Literal["xid", "exit", "heartbeat", "node_fail", "back", "mended"]
Do: TypeAlias = Literal["drain", "avoid", "elsewhere"]

_DRAINING_XIDS = {
    46: "the GPU stopped processing",
    48: "uncorrectable memory error",
    54: "a power connector is loose",
    62: "the GPU's power controller halted",
    64: "a memory row could not be replaced",
    74: "NVLink error",
    79: "the GPU has fallen off the bus",
    95: "uncontained memory error",
    109: "the GPU did not switch contexts in time",
    110: "security fault",
    119: "the GPU's system processor did not answer",
    120: "the GPU's system processor failed",
    136: "a link to the CPU failed training",
    140: "unrecoverable memory error",
    143: "the GPU did not initialise",
    151: "key rotation failed",
    155: "NVLink error",
    156: "a resource was retired",
    158: "the GPU timed out fatally",
    160: "a memory channel was retired",
} | dict.fromkeys(range(144, 151), "NVLink error")
_MOVING_XIDS = {94: "contained memory error: its row is replaced at the next reset"}
_HARMLESS_XIDS = frozenset({14, 37, 38, 43, 44, 45, 63, 66, 67, 92, 93, 106, 107, 121, 137, 141, 154, 157})
_TOLD_TO_LEAVE = frozenset({0, 130, 137, 143})
"""Exit codes of success, SIGINT, SIGKILL, SIGTERM: preemption, a time limit or the job's own memory."""


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One thing that a scheduler or a log told of a node."""

    at_s: float
    node: str
    """As the scheduler calls it."""
    kind: Kind
    """xid, exit (of a job; 0 is told too), heartbeat (missed), node_fail (the scheduler gave it up), back (in
    service again after a repair), mended (what was broken was replaced: it starts anew)."""
    code: int = 0
    """The Xid, the exit code, or how many heartbeats in a row were missed."""
    job: str = ""
    owner: str = ""
    """Who submitted the job; what fails for one owner is one opinion, however many jobs it was."""

    @property
    def who(self) -> str:
        """Return whose fault it would be, were it not the node's."""
        return self.owner or self.job


class Verdict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to do: drain a node, place on it last, or start a job again without it."""

    node: str
    do: Do
    reason: str
    job: str = ""


class Rules(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where the rules draw their lines."""

    window_s: float = 28 * 86_400.0
    """Failures before count no more."""
    incident_s: float = 3_600.0
    """What follows a failure so closely is the same one: an Xid, lost heartbeats, a job's exit."""
    heartbeats: int = 3
    black_hole_jobs: int = 3
    own_fault_nodes: int = 2
    """A job, or an owner, that failed on so many nodes is at fault itself."""
    false_drains: float = 0.05
    """How many usual nodes a look may take for lemons, on the average."""
    false_avoids: float = 0.5
    max_drained_share: float = 0.05
    """Of the nodes, black holes and lemons together: where more fail, something else is broken."""


USUAL = Rules()


def verdicts(
    observations: Iterable[Observation],
    *,
    num_nodes: int,
    now_s: float,
    drained: Collection[str] = (),
    rules: Rules = USUAL,
) -> list[Verdict]:
    """Return what to do now, at most one verdict on a node and one on a job, by node.

    Of `num_nodes`, the nodes in `drained` are out already: nothing more is said of them.
    """
    recent = _within(observations, now_s, rules)
    by_node: defaultdict[str, list[Observation]] = defaultdict(list)
    for each in recent:
        if each.kind == "mended":
            by_node[each.node].clear()
        else:
            by_node[each.node].append(each)
    clear = {node: verdict for node, told in by_node.items() if (verdict := _clear_fault(told, rules))}
    doubted = [
        verdict
        for verdict in _doubted(recent, by_node, num_nodes, rules)
        if verdict.node not in clear and verdict.node not in drained
    ]
    room = int(max(rules.max_drained_share * num_nodes, 1)) - len(drained)
    for at, verdict in enumerate(doubted):
        if verdict.do == "drain":
            doubted[at] = verdict if room > 0 else _spared(verdict, rules)
            room -= 1
    out = [verdict for verdict in clear.values() if verdict.node not in drained]
    moved = _moved(by_node, {verdict.node: verdict for verdict in (*clear.values(), *doubted)})
    return sorted([*out, *doubted, *moved], key=lambda verdict: (verdict.node, verdict.do))


def _within(observations: Iterable[Observation], now_s: float, rules: Rules) -> list[Observation]:
    recent = [each for each in observations if now_s - rules.window_s <= each.at_s <= now_s]
    return sorted(recent, key=lambda each: each.at_s)


def _doubted(
    recent: Sequence[Observation],
    by_node: Mapping[str, Sequence[Observation]],
    num_nodes: int,
    rules: Rules,
) -> list[Verdict]:
    """Return black holes and lemons, who fails most first."""
    own_fault = _at_fault_themselves(recent, rules)
    counts = failure_counts(recent, rules)
    found = {verdict.node: verdict for verdict in _lemons(counts, num_nodes, rules)}
    found |= {node: hole for node, told in by_node.items() if (hole := _black_hole(told, own_fault, rules))}
    return sorted(found.values(), key=lambda verdict: -counts[verdict.node])


def _moved(by_node: Mapping[str, Sequence[Observation]], said: Mapping[str, Verdict]) -> list[Verdict]:
    """Return which jobs to start again elsewhere: those that the last of a node's news is about."""
    return [
        Verdict(node=last.node, do="elsewhere", job=last.job, reason=why)
        for told in by_node.values()
        for last in _since_repair(told)[-1:]
        if last.job and (why := _why_elsewhere(last, said.get(last.node)))
    ]


def failure_counts(observations: Iterable[Observation], rules: Rules = USUAL) -> Counter[str]:
    """Count each node's failures, in order of time: one an incident; an owner's once, unless at fault."""
    observations = list(observations)
    own_fault = _at_fault_themselves(observations, rules)
    counts: Counter[str] = Counter()
    last_s: dict[str, float] = {}
    seen: set[tuple[str, str]] = set()
    for each in observations:
        if each.kind in ("back", "mended"):
            last_s.pop(each.node, None)
            if each.kind == "mended":
                counts.pop(each.node, None)
            continue
        if each.kind != "node_fail" and not _is_clear(each, rules):
            if not _failed(each) or each.who in own_fault or (each.node, each.who) in seen:
                continue
            seen.add((each.node, each.who))
        if each.at_s - last_s.get(each.node, -math.inf) > rules.incident_s:
            counts[each.node] += 1
        last_s[each.node] = each.at_s
    return counts


def lemon_score(failures: int, of_others: int, num_others: int) -> float:
    """Return -log10 of the probability that a node fails at least so often if it is as the others are.

    Poisson; the expectation is (failures of the others + 1) / their number: one more, so that where nothing
    else failed yet something is expected.
    """
    if failures < 1 or num_others < 1:
        return 0.0
    expected = (of_others + 1) / num_others
    log_first = failures * math.log(expected) - expected - math.lgamma(failures + 1)
    term = total = 1.0
    for i in range(failures + 1, failures + 1_000):
        term *= expected / i
        total += term
        if term < 1e-12 * total:
            break
    return max(-(log_first + math.log(total)) / math.log(10), 0.0)


def _lemons(counts: Counter[str], num_nodes: int, rules: Rules) -> list[Verdict]:
    total, found = counts.total(), []
    for node, count in counts.items():
        score = lemon_score(count, total - count, num_nodes - 1)
        false = num_nodes * 10.0**-score
        if count >= 2 and false <= rules.false_avoids:
            expected = (total - count + 1) / max(num_nodes - 1, 1)
            found.append(
                Verdict(
                    node=node,
                    do="drain" if count >= 3 and false <= rules.false_drains else "avoid",
                    reason=f"a lemon: {count} failures in {rules.window_s / 86_400:g} days where a node "
                    f"like the others has {expected:.2g} (score {score:.1f})",
                )
            )
    return found


def _spared(verdict: Verdict, rules: Rules) -> Verdict:
    reason = f"{verdict.reason}; not drained, as {rules.max_drained_share:.0%} of the nodes are out already"
    return msgspec.structs.replace(verdict, do="avoid", reason=reason)


def _clear_fault(told: Sequence[Observation], rules: Rules) -> Verdict | None:
    for each in reversed(_since_repair(told)):
        if each.kind == "xid" and each.code in _DRAINING_XIDS:
            reason = f"Xid {each.code}: {_DRAINING_XIDS[each.code]}"
            return Verdict(node=each.node, do="drain", reason=reason)
        if each.kind == "heartbeat" and each.code >= rules.heartbeats:
            return Verdict(node=each.node, do="drain", reason=f"{each.code} heartbeats in a row are missing")
    return None


def _black_hole(told: Sequence[Observation], own_fault: set[str], rules: Rules) -> Verdict | None:
    jobs: dict[str, str] = {}
    for each in _since_repair(told):
        if each.kind == "exit" and each.code == 0:
            jobs.clear()
        elif _failed(each) and each.job and each.who not in own_fault:
            jobs[each.who] = each.job
    if len(jobs) < rules.black_hole_jobs:
        return None
    reason = f"{len(jobs)} different jobs in a row failed on it: {', '.join(list(jobs.values())[-3:])}"
    return Verdict(node=told[-1].node, do="drain", reason=reason)


def _since_repair(told: Sequence[Observation]) -> Sequence[Observation]:
    start = max((i for i, each in enumerate(told) if each.kind == "back"), default=-1)
    return told[start + 1 :]


def _at_fault_themselves(observations: Iterable[Observation], rules: Rules) -> set[str]:
    failed_on: defaultdict[str, set[str]] = defaultdict(set)
    for each in observations:
        if each.job and _failed(each):
            failed_on[each.who].add(each.node)
    return {who for who, nodes in failed_on.items() if len(nodes) >= rules.own_fault_nodes}


def _is_clear(each: Observation, rules: Rules) -> bool:
    return (each.kind == "xid" and each.code in _DRAINING_XIDS) or (
        each.kind == "heartbeat" and each.code >= rules.heartbeats
    )


def _failed(each: Observation) -> bool:
    """Tell whether a job failed in a way that may be the node's fault or its own."""
    if each.kind == "exit":
        return each.code not in _TOLD_TO_LEAVE
    return each.kind == "xid" and each.code not in _HARMLESS_XIDS and each.code not in _DRAINING_XIDS


def _why_elsewhere(last: Observation, on_node: Verdict | None) -> str:
    if last.kind == "exit" and last.code in _TOLD_TO_LEAVE:
        return ""
    if last.kind == "xid" and last.code in _MOVING_XIDS:
        return f"Xid {last.code}: {_MOVING_XIDS[last.code]}"
    if last.kind == "node_fail":
        return "its node failed"
    return on_node.reason if on_node is not None and on_node.do == "drain" else ""

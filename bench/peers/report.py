"""From what was seen of each peer to tables and to the section of `bench/RESULTS.md`: pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.peers.measure import Seen
from bench.peers.peer import Peer

OURS = "novaburst"
TITLE = "Peers on the same machine"


@dataclass(frozen=True)
class Missing:
    """A peer that could not be measured, and why."""

    peer: Peer
    why: str


@dataclass(frozen=True)
class Grid:
    """A table as text: its heads, and a row of as many cells for each peer."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """As Markdown."""
        lines = [self.heads, ["---"] * len(self.heads), *self.rows]
        return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


@dataclass(frozen=True)
class _Measure:
    """One figure of a peer, how it is written, and whether more of it is better."""

    head: str
    of: Callable[[Seen], float]
    form: str
    more: bool

    def text(self, seen: Seen) -> str:
        return format(self.of(seen), self.form)


def own_cpu_ms(seen: Seen) -> float:
    """CPU milliseconds an image of all parts that are the peer's own."""
    return sum(ms for part, ms in seen.warm.cpu_ms.items() if part not in seen.aside)


def bound_cpu_ms(seen: Seen, cores: int) -> float:
    """CPU milliseconds an image of the bound: decoding and inferring alone, on all cores at once."""
    return 1000 * cores / seen.bound


def _measures(cores: int) -> tuple[_Measure, ...]:
    return (
        _Measure("images/s", lambda seen: seen.warm.rate, ".1f", more=True),
        _Measure("of the bound", lambda seen: seen.warm.rate / seen.bound, ".2f", more=True),
        _Measure("CPU ms an image", own_cpu_ms, ".1f", more=False),
        _Measure("of the bound by CPU", lambda seen: bound_cpu_ms(seen, cores) / own_cpu_ms(seen), ".2f", more=True),
        _Measure("p50 ms", lambda seen: 1000 * seen.warm.account.p50, ".0f", more=False),
        _Measure("p95 ms", lambda seen: 1000 * seen.warm.account.p95, ".0f", more=False),
        _Measure("peak MiB", lambda seen: sum(seen.warm.memory_mib.values()), ".0f", more=False),
        _Measure("cold start s", lambda seen: seen.cold, ".1f", more=False),
        _Measure("lost", lambda seen: seen.killed.account.lost, ".0f", more=False),
        _Measure("slowest s", lambda seen: seen.killed.account.slowest, ".1f", more=False),
    )


def figures(results: Sequence[Seen | Missing], cores: int) -> Grid:
    """The table: a row a peer."""
    measures = _measures(cores)
    heads = ["", *(measure.head for measure in measures), "of photos", "sent again", "kills", "started by hand"]
    rows = []
    for one in results:
        if isinstance(one, Missing):
            rows.append([one.peer.name, f"not measured: {one.why}", *[""] * (len(heads) - 2)])
            continue
        killed = one.killed
        after = (str(killed.account.photos), str(killed.account.sent_again), _kills(killed.kills), str(killed.restarts))
        rows.append([one.peer.name, *(measure.text(one) for measure in measures), *after])
    return Grid(heads, rows)


def parts(results: Sequence[Seen | Missing]) -> Grid:
    """What each part costs, and the way each peer was served."""
    rows = []
    for one in results:
        if isinstance(one, Seen):
            cpu = {part: ms for part, ms in one.warm.cpu_ms.items() if part not in one.aside}
            apart = {part: one.warm.cpu_ms[part] for part in sorted(one.aside)} | {"client": one.warm.client_ms}
            cells = (_listed(cpu, ".1f"), _listed(apart, ".1f"), _listed(one.warm.memory_mib, ".0f"))
            rows.append([one.peer.name, *cells, f"{one.bound:.0f}", one.peer.way, ", ".join(one.peer.pages)])
    return Grid(["", "CPU ms an image", "apart", "peak MiB", "bound, images/s", "way", "as in"], rows)


def wins(results: Sequence[Seen | Missing], cores: int) -> list[str]:
    """A line for each figure in which a peer is better than ours, with the best one."""
    seen = [one for one in results if isinstance(one, Seen)]
    ours = next((one for one in seen if one.peer.name == OURS), None)
    others = [one for one in seen if one is not ours]
    if ours is None or not others:
        return []
    lines = []
    for measure in _measures(cores):
        best = (max if measure.more else min)(others, key=measure.of)
        better = measure.of(best) > measure.of(ours) if measure.more else measure.of(best) < measure.of(ours)
        if better and measure.text(best) != measure.text(ours):
            lines.append(f"{measure.head}: {best.peer.name} {measure.text(best)}, ours {measure.text(ours)}")
    return lines


def section(results: Sequence[Seen | Missing], cores: int, machine: str, command: str) -> str:
    """The section of the results' file, from its title on."""
    found = wins(results, cores)
    verdict = "\n".join(f"- {line}" for line in found) if found else "- nowhere in this run"
    return "\n\n".join(
        (
            f"## {TITLE}",
            f"`{command}` on {machine}.",
            figures(results, cores).markdown(),
            "The bound is what as many processes as cores decode and classify of the same photos without any serving,"
            " measured before each peer. Ours has the stand-in for AWS on the same cores for its rate; CPU ms and MiB"
            " are without it. `lost` are photos accepted and never answered while processes were killed in turn, and"
            " `slowest` is the answer that came last then.",
            parts(results).markdown(),
            "Where a peer is better than ours:",
            verdict,
        )
    )


def _listed(values: Mapping[str, float], form: str) -> str:
    return ", ".join(f"{name} {format(value, form)}" for name, value in values.items())


def _kills(kills: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in kills.items())

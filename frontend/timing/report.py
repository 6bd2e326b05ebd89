"""What a comparison found, as rows of a table or as data."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kerac.timing.contestants import KERAC, PEAK
from kerac.timing.rounds import Timing
from kerac.timing.table import markdown


@dataclass(frozen=True)
class Report:
    """One network on one number of threads: how it fared beside its peers."""

    network: str
    lengths: Mapping[str, int]
    threads: int
    multiply_adds: int  # of one call; 0 where nobody knows
    timings: Mapping[str, Timing]

    @property
    def ours(self) -> Timing:
        """What kerac took."""
        return self.timings[KERAC.name]

    @property
    def peers(self) -> list[Timing]:
        """The others that could run."""
        known = (KERAC.name, PEAK.name)
        return [t for name, t in self.timings.items() if name not in known and not t.failure]

    @property
    def best_peer(self) -> Timing | None:
        """The fastest of the others."""
        return min(self.peers, key=lambda timing: timing.over(self.ours), default=None)

    @property
    def ratio(self) -> float | None:
        """The time of the best peer over ours: above 1, kerac is faster."""
        return self.best_peer.over(self.ours) if self.best_peer else None

    @property
    def gflops(self) -> float:
        """Billions of floating-point operations a second, those of direct products."""
        return 2e-9 * self.multiply_adds / self.ours.median

    @property
    def peak_gflops(self) -> float:
        """The most that the machine did in the same run, multiply-adds on registers alone."""
        peak = self.timings[PEAK.name]
        return 1e-9 * float(peak.outputs[0]) / peak.median

    def as_dict(self) -> dict[str, Any]:
        """The report as data; times in milliseconds, ratios of others' times to ours."""
        others = [t for name, t in self.timings.items() if name not in (KERAC.name, PEAK.name)]
        return {
            "network": self.network,
            "lengths": dict(self.lengths),
            "threads": self.threads,
            "kerac_ms": 1e3 * self.ours.median,
            "kerac_p95_ms": 1e3 * self.ours.quantile(0.95),
            "compile_s": self.ours.prepare_seconds,
            "memory_bytes": self.ours.memory,
            "gflops": self.gflops,
            "peak_gflops": self.peak_gflops,
            "peers": {timing.name: _peer(timing, self.ours) for timing in others},
        }


def _peer(timing: Timing, ours: Timing) -> dict[str, Any]:
    if timing.failure:
        return {"failure": timing.failure}
    return {
        "ms": 1e3 * timing.median,
        "ratio": timing.over(ours),
        "difference": ours.difference(timing),
        "memory_bytes": timing.memory,
    }


def as_table(reports: Sequence[Report]) -> str:
    """The reports as a table in Markdown: for each peer its milliseconds and its ratio to ours."""
    found = dict.fromkeys(name for report in reports for name in report.timings)
    names = [name for name in found if name not in (KERAC.name, PEAK.name)]
    headings = ("network", "batch", "threads", "kerac ms", "p95", "of peak", *names, "best ratio")
    rows = [headings, *(_row(report, names) for report in reports)]
    return "\n".join([markdown(rows), *_remarks(reports)]) + "\n"


def _row(report: Report, names: Sequence[str]) -> tuple[str, ...]:
    peers = {timing.name: timing for timing in report.peers}
    cells = [
        f"{1e3 * peers[name].median:.3g} ({peers[name].over(report.ours):.2f})"
        if name in peers
        else "-"
        for name in names
    ]
    share = report.gflops / report.peak_gflops
    return (
        report.network,
        str(report.lengths.get("N", "-")),
        str(report.threads),
        f"{1e3 * report.ours.median:.3g}",
        f"{1e3 * report.ours.quantile(0.95):.3g}",
        f"{share:.0%}" if report.multiply_adds else "-",
        *cells,
        "-" if report.ratio is None else f"{report.ratio:.2f}",
    )


def _remarks(reports: Sequence[Report]) -> list[str]:
    """The mean over all, the machine's peak, and who could not run."""
    lines = []
    ratios = [report.ratio for report in reports if report.ratio is not None]
    if len(ratios) > 1:
        mean = statistics.geometric_mean(ratios)
        lines.append(f"Geometric mean of the best ratios: {mean:.2f}; least: {min(ratios):.2f}.")
    for threads in sorted({report.threads for report in reports}):
        peaks = [report.peak_gflops for report in reports if report.threads == threads]
        lines.append(f"Peak on {threads} thread(s): {statistics.median(peaks):.0f} GFLOP/s in f32.")
    for report in reports:
        for timing in report.timings.values():
            if timing.failure:
                lines.append(f"{report.network}: {timing.name} could not run: {timing.failure}")
    return ["", *dict.fromkeys(lines)]

"""The closing table of `make bench`: median and 95th percentile, and how often the peer of the same run fits into our time."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

PEER = "test_peer_"
"""A benchmark whose name begins so measures another program at the task of its group."""


def pytest_terminal_summary(terminalreporter, config) -> None:
    session = getattr(config, "_benchmarksession", None)
    groups = defaultdict(list)
    for bench in session.benchmarks if session else []:
        if bench.stats.data:
            groups[bench.group or bench.name].append((bench.name, np.asarray(bench.stats.data) * 1000))
    if not groups:
        return
    terminalreporter.section("ms: median, p95, ratio of medians to the group's fastest peer")
    for group, runs in sorted(groups.items()):
        peers = [np.median(times) for name, times in runs if name.startswith(PEER)]
        for name, times in runs:
            ratio = f"{np.median(times) / min(peers):6.2f} x" if peers and not name.startswith(PEER) else ""
            label = f"{group}: {name.removeprefix('test_').replace('_', ' ')}"
            terminalreporter.write_line(
                f"{label:<76} {np.median(times):10.2f} {np.percentile(times, 95):10.2f} {ratio}"
            )

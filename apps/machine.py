"""What of this machine a job may use, and what it used."""

import os
import resource
from pathlib import Path


def free_cores() -> int:
    """Cores of this process less those busy over the last minute, at least one."""
    return max(1, round(len(os.sched_getaffinity(0)) - os.getloadavg()[0]))


def peak_rss_mb() -> float:
    """Most memory this process ever held, by the kernel's count; rusage counts parents' too."""
    status = Path("/proc/self/status")
    if status.exists():
        rows = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return float(rows["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

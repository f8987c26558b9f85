"""Peak memory of a process, on Linux, macOS and Windows."""

import sys
from pathlib import Path


def peak_mb():
    """Most memory that this process has held at once, in MB (2**20 bytes).

    Linux carries getrusage's figure over from the parent process, so that it
    is read from the process's own status there.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = status.read_text().partition("VmHWM:")[2]
        return int(line.split()[0]) / 2**10
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)

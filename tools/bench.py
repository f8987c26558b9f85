"""What the benchmarks share: turns, medians, the setting, the table."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path


def options(doc, threads=1):
    """Read the command line and give BLAS its threads; before NumPy loads."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument(
        "--threads", type=int, default=threads, help="for BLAS"
    )
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--cold", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if not chosen.cold:
        for library in ("OPENBLAS", "OMP", "MKL"):
            os.environ[f"{library}_NUM_THREADS"] = str(chosen.threads)
        os.environ["VECLIB_MAXIMUM_THREADS"] = str(chosen.threads)
    return chosen


def timed(function, *args, clock=time.process_time):
    """Seconds of one call, of the processor's time unless told otherwise."""
    start = clock()
    function(*args)
    return clock() - start


def interleaved(runs, ours, baseline, clock=time.process_time):
    """Median seconds of two thunks that take turns, warm."""
    ours(), baseline()
    pairs = [
        (timed(ours, clock=clock), timed(baseline, clock=clock))
        for _ in range(runs)
    ]
    return [statistics.median(side) for side in zip(*pairs, strict=True)]


def cold_run(module, job):
    """What a benchmark finds for a job in a new process, which prints JSON."""
    command = [sys.executable, "-m", module, "--cold", job]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def setting():
    """What the numbers depend on."""
    import matplotlib
    import numpy as np
    import scipy
    import sklearn
    from threadpoolctl import threadpool_info

    from utils.scores.protocol import machine

    return {
        "processor": machine(),
        "system": platform.platform(terse=True),
        "blas": sorted(
            {
                f"{b['internal_api']} {b['version']} "
                f"({b.get('architecture')}, threads: {b['num_threads']})"
                for b in threadpool_info()
            }
        ),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "matplotlib": matplotlib.__version__,
        "sklearn": sklearn.__version__,
        "load": [round(n, 2) for n in os.getloadavg()]
        if hasattr(os, "getloadavg")
        else None,
    }


def print_setting():
    """Print what the numbers depend on, and the head of the table."""
    for key, value in setting().items():
        print(f"{key:12}{value}")
    print(f"\n{'':22}{'ours':>10}{'baseline':>10}{'ratio':>8}{'aim':>8}")


def print_ratios(seconds, aims):
    """Print a line a question; a question without an aim has none.

    Parameters
    ----------
    seconds : dict of str to (float, float)
        Seconds, ours and the baseline's.
    aims : dict of str to float
        Least ratios.

    Returns
    -------
    dict
        The results, for `write`.
    """
    results = {}
    for name, (ours, baseline) in seconds.items():
        ratio, aim = baseline / ours, aims.get(name, 0)
        print(
            f"{name:22}{ours * 1e3:7.1f} ms{baseline * 1e3:7.0f} ms"
            f"{ratio:8.1f}{aim or '':>8}{'  missed' if ratio < aim else ''}"
        )
        results[name] = {"ours_s": ours, "baseline_s": baseline}
        results[name]["ratio"] = ratio
    return results


def write(results):
    """Write the results to build/bench_NAME.json, by the script's name."""
    root = Path(__file__).resolve().parents[1]
    file = root / "build" / f"bench_{Path(sys.argv[0]).stem}.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten to {file.relative_to(root)}")

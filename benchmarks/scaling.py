"""What does a row cost, and how much memory, as the rows grow in number?

    python -m benchmarks.scaling

Prints a table and writes build/bench_scaling.json. The rows are training
digits, moved and turned at random, in files of 20,000 in a temporary folder
(1.6 GB at two million rows). What is measured are count, sum and cross
product of each class. Each number comes from a process of its own, after a
first round with two files that is not timed (imports, first use of memory).

- plain: `statistics_from_files`, processor time and peak memory.
- dask: `cluster_statistics` with two workers of one thread. The processor's
  time of client and workers together, from a running cluster to the result;
  the most that one of the processes held.
- dask.array: what a reader might write first, one mask a class, on 60,000
  rows and one thread.

Each engine must find the same sums, to the last bit. BLAS has one thread.
"""

import hashlib
import json
import os
import statistics
import tempfile
import time

from tools.bench import cold_run, options, setting, write

ROWS = 20_000  # in a file
SIZES = 60_000, 200_000, 1_000_000, 2_000_000
FLAT, PEAK_AIM, DASK_AIM = 0.15, 260, 2.0


def cpu_and_peak():
    """Processor seconds so far and peak memory in MB of this process."""
    from tools.memory import peak_mb

    return time.process_time(), peak_mb()


def plain(files):
    from utils.chunks import statistics_from_files

    statistics_from_files(files[:2])
    start, _ = cpu_and_peak()
    found = statistics_from_files(files)
    end, peak = cpu_and_peak()
    return found, end - start, peak


def dask(files):
    from distributed import Client, LocalCluster

    from utils.cluster import cluster_statistics

    def all_processes():
        use = [*client.run(cpu_and_peak).values(), cpu_and_peak()]
        return sum(cpu for cpu, _ in use), max(peak for _, peak in use)

    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        cluster_statistics(files[:2], client)
        start, _ = all_processes()
        found = cluster_statistics(files, client)
        end, peak = all_processes()
    return found, end - start, peak


def dask_array(files):
    import dask
    import dask.array as da
    import numpy as np

    from utils.chunks import read_chunk
    from utils.statistics import ClassStatistics

    start, _ = cpu_and_peak()
    chunks = [dask.delayed(read_chunk, nout=2)(file) for file in files]
    x = da.concatenate(
        [da.from_delayed(x, (ROWS, 784), np.uint8) for x, _ in chunks]
    ).astype(np.float64)  # whole numbers below 2**53 stay exact
    y = da.concatenate(
        [da.from_delayed(y, (ROWS,), np.int64) for _, y in chunks]
    )
    parts = []
    for label in range(10):
        rows = x[y == label]
        parts.append([(y == label).sum(), rows.sum(axis=0), rows.T @ rows])
    parts = dask.compute(*parts, scheduler="synchronous")
    count, total, cross = (
        np.array([part[i] for part in parts]).astype(np.int64)
        for i in range(3)
    )
    end, peak = cpu_and_peak()
    return ClassStatistics(count, total, cross), end - start, peak


def cold(job):
    """Measure one engine on the first files of a folder; print JSON."""
    from utils.chunks import chunk_files

    engine, n, folder = job.split(":", 2)
    files = chunk_files(folder)[: int(n) // ROWS]
    engines = {"plain": plain, "dask": dask, "dask.array": dask_array}
    found, cpu, peak = engines[engine](files)
    assert found.count.sum() == int(n)
    digest = hashlib.sha256()
    for array in (found.count, found.sum, found.cross):
        digest.update(array.tobytes())
    print(
        json.dumps({"cpu_s": cpu, "peak_mb": peak, "sha": digest.hexdigest()})
    )


def make_files(folder):
    """Write the files; each is drawn from a generator of its own."""
    import numpy as np

    from utils.augment import augment
    from utils.chunks import write_chunk
    from utils.data import load_mnist

    (images, y), _ = load_mnist()
    x, total = images.reshape(len(images), -1), max(SIZES) // ROWS
    for number, rng in enumerate(np.random.default_rng(0).spawn(total), 1):
        write_chunk(folder, number, total, *augment(x, y, ROWS, rng))


def measure(runs, folder):
    """Median processor time a row in us and peak, of each engine and size."""
    jobs = [("plain", n) for n in SIZES] + [("dask", n) for n in SIZES]
    found: dict[tuple, list] = {
        job: [] for job in [*jobs, ("dask.array", SIZES[0])]
    }
    for _ in range(runs):
        for (engine, n), results in found.items():
            job = f"{engine}:{n}:{folder}"
            results.append(cold_run("benchmarks.scaling", job))
    table = {}
    for (engine, n), results in found.items():
        shas = {r["sha"] for m in found if m[1] == n for r in found[m]}
        assert len(shas) == 1, f"the engines differ at {n} rows"
        cpu, peak = (
            statistics.median(r[key] for r in results)
            for key in ("cpu_s", "peak_mb")
        )
        table[f"{engine}_{n}"] = {"cpu_us": cpu / n * 1e6, "peak_mb": peak}
    return table


def report(table):
    """Print the table and write the results."""
    for key, value in setting().items():
        print(f"{key:12}{value}")
    print(f"\n{'rows':>12}{'plain':>18}{'dask':>18}{'dask.array':>18}")
    for n in SIZES:
        line = f"{n:12,}"
        for engine in ("plain", "dask", "dask.array"):
            cell = table.get(f"{engine}_{n}")
            text = cell and f"{cell['cpu_us']:.1f} us {cell['peak_mb']:.0f} MB"
            line += f"{text or '':>18}"
        print(line)
    cpu = [table[f"plain_{n}"]["cpu_us"] for n in SIZES]
    peaks = [r["peak_mb"] for e, r in table.items() if "array" not in e]
    ratio = table["dask_1000000"]["cpu_us"] / table["plain_1000000"]["cpu_us"]
    for name, value, aim in [
        ("plain, spread of CPU a row", max(cpu) / min(cpu) - 1, FLAT),
        ("plain and dask, peak, MB", max(peaks), PEAK_AIM),
        ("dask over plain, 1,000,000", ratio, DASK_AIM),
    ]:
        missed = "  missed" if value > aim else ""
        print(f"{name:28}{value:8.2f}  <= {aim}{missed}")
    write(table)


if __name__ == "__main__":
    os.environ["PYTHONPATH"] = os.getcwd()  # for the workers
    chosen = options(__doc__)
    if chosen.cold:
        cold(chosen.cold)
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_files(folder)
            report(measure(min(chosen.runs, 3), folder))

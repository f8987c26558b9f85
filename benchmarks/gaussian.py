"""How fast is `utils` beside what a reader would write instead?

    python -m benchmarks.gaussian

Prints a table and writes build/bench_gaussian.json. Both sides of a question
run in turn in one process, and the median of their CPU times counts. The
pipeline is timed once, cold: each run has a process of its own, whose peak
memory is read too.

BLAS gets one thread. Threads that wait for each other spin, which counts as
CPU time, and on a busy machine for much of it: `--threads 2` shows that.
"""

import io
import json
import statistics

from tools.bench import (
    cold_run,
    interleaved,
    options,
    print_ratios,
    print_setting,
    timed,
    write,
)

RIDGE = 0.01
AIMS = {
    "estimate": 1.6,
    "sample_5_per_class": 300,
    "log_prob": 3.5,
    "draw_grid": 4,
    "pipeline_after_load": 5,
}
PEAK_AIM = 300  # MB


def estimate_ours(x_train, y_train):
    from utils.statistics import class_statistics

    stats = class_statistics(x_train, y_train)
    means = stats.mean / 255
    return means, [stats.cov(label) / 255**2 for label in range(10)]


def estimate_baseline(x_train, y_train):
    import numpy as np

    x = x_train.reshape(-1, 784) / 255
    means = [x[y_train == label].mean(axis=0) for label in range(10)]
    covs = [
        np.cov(x[y_train == label], rowvar=False, ddof=0)
        for label in range(10)
    ]
    return means, covs


def sample_ours(gaussians, rng):
    return [gaussian.sample(5, rng) for gaussian in gaussians]


def sample_baseline(means, covs, rng):
    from scipy.stats import multivariate_normal

    return [
        multivariate_normal.rvs(mean, cov, size=5, random_state=rng)
        for mean, cov in zip(means, covs, strict=True)
    ]


def log_prob_ours(x, mean, cov):
    from utils.gaussian import Gaussian

    return Gaussian.from_moments(mean, cov, ridge=RIDGE).log_prob(x)


def log_prob_baseline(x, mean, cov):
    import numpy as np
    from scipy.stats import multivariate_normal

    return multivariate_normal.logpdf(x, mean, cov + RIDGE * np.eye(784))


def grid_ours(x):
    import matplotlib.pyplot as plt

    from utils.plotting import draw_grid

    draw_grid(x, 10)
    return png(plt.gcf())


def grid_baseline(x):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(5, 10, figsize=(7.2, 3.6))
    for ax, row in zip(axes.flat, x, strict=True):
        ax.imshow(row.reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
        ax.axis("off")
    return png(figure)


def png(figure):
    """The bytes of the figure as PNG; closes it."""
    import matplotlib.pyplot as plt

    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    plt.close(figure)
    return file.getvalue()


def pipeline_ours(x_train, y_train, rng):
    import numpy as np

    from utils.gaussian import Gaussian
    from utils.statistics import class_statistics

    stats = class_statistics(x_train, y_train)
    draws = [
        Gaussian.from_moments(
            stats.mean[label] / 255, stats.cov(label) / 255**2, ridge=RIDGE
        ).sample(5, rng)
        for label in range(10)
    ]
    return grid_ours(np.stack(draws, axis=1).reshape(50, 784))


def pipeline_baseline(x_train, y_train, rng):
    import numpy as np

    means, covs = estimate_baseline(x_train, y_train)
    draws = sample_baseline(means, covs, rng)
    return grid_baseline(np.stack(draws, axis=1).reshape(50, 784))


def cold(side):
    """In a process of its own: import, load, then time one pipeline."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot  # noqa: F401
    import numpy as np
    import scipy.stats  # noqa: F401

    import utils.gaussian  # noqa: F401
    import utils.plotting  # noqa: F401
    from tools.memory import peak_mb
    from utils.data import load_mnist

    (x_train, y_train), _ = load_mnist()
    pipeline = {"ours": pipeline_ours, "baseline": pipeline_baseline}[side]
    seconds = timed(pipeline, x_train, y_train, np.random.default_rng(0))
    print(json.dumps({"s": seconds, "peak_mb": peak_mb()}))


def pipelines(runs):
    """Median seconds and peak memory of both sides, in turns."""
    found: dict[str, list] = {"ours": [], "baseline": []}
    for _ in range(runs):
        for side, results in found.items():
            results.append(cold_run("benchmarks.gaussian", side))
    seconds, peaks = (
        [statistics.median(r[key] for r in rows) for rows in found.values()]
        for key in ("s", "peak_mb")
    )
    return seconds, peaks


def measure(runs):
    """Seconds of both sides of each question, and the peaks in MB."""
    import matplotlib

    matplotlib.use("agg")
    import numpy as np

    from utils.data import load_mnist, preprocess
    from utils.gaussian import Gaussian

    (x_train, y_train), (x_test, _) = load_mnist()
    x = preprocess(x_test)
    means, covs = estimate_ours(x_train, y_train)
    gaussians = [
        Gaussian.from_moments(mean, cov, ridge=RIDGE)
        for mean, cov in zip(means, covs, strict=True)
    ]
    rng = np.random.default_rng(0)
    questions = {
        "estimate": (
            lambda: estimate_ours(x_train, y_train),
            lambda: estimate_baseline(x_train, y_train),
        ),
        "sample_5_per_class": (
            lambda: sample_ours(gaussians, rng),
            lambda: sample_baseline(means, covs, rng),
        ),
        "log_prob": (
            lambda: log_prob_ours(x, means[3], covs[3]),
            lambda: log_prob_baseline(x, means[3], covs[3]),
        ),
        "draw_grid": (
            lambda: grid_ours(x[:50]),
            lambda: grid_baseline(x[:50]),
        ),
    }
    seconds = {
        name: interleaved(runs, *sides) for name, sides in questions.items()
    }
    seconds["pipeline_after_load"], peaks = pipelines(runs)
    return seconds, peaks


def report(seconds, peaks):
    """Print the table and write the results."""
    print_setting()
    results = print_ratios(seconds, AIMS)
    ours, baseline = peaks
    print(
        f"{'pipeline, peak':22}{ours:7.0f} MB{baseline:7.0f} MB"
        f"{'':8}{'<= ' + str(PEAK_AIM):>8}"
        f"{'' if ours <= PEAK_AIM else '  missed'}"
    )
    results["pipeline_after_load"] |= {
        "ours_peak_mb": ours,
        "baseline_peak_mb": baseline,
    }
    write(results)


if __name__ == "__main__":
    chosen = options(__doc__)
    if chosen.cold:
        cold(chosen.cold)
    else:
        report(*measure(chosen.runs))

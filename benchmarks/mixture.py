"""How fast is EM beside scikit-learn's GaussianMixture?

    python -m benchmarks.mixture

Prints a table and writes build/bench_mixture.json. The rows are the 60,000
training digits in their first 50 principal components. Both sides start from
the same mixture: K random rows as means, the covariance of all rows, equal
weights. They run in turn in one process, and the median of their wall-clock
times counts; BLAS gets two threads. What they find is compared first.

- iteration: one E-step and one M-step, of a few in a row, as in a fit (the
  first one after a turn of the other side pays for its waiting threads and
  cold caches). Ours on float32 rows whose features are kept, as they are from
  one iteration to the next; the baseline's are `_e_step` and `_m_step`, on
  float64 and on float32 rows.
- fit_20: 20 iterations with all that is around them, ours on float32 rows
  and the baseline on float64 ones.

The last lines tell what share of the machine's matrix-product speed, as
measured, one iteration reaches: the floating-point operations of the two
products of K x p and p x n for p features, over the time of all of it.
"""

import statistics
import time
import warnings

from tools.bench import (
    interleaved,
    options,
    print_ratios,
    print_setting,
    timed,
    write,
)

RIDGE = 1e-6
IN_A_ROW = 4  # iterations of each turn; one more, before them, is not timed
AIMS = {
    "iteration_10_f64": 4.5,
    "iteration_10_f32": 2,
    "iteration_50_f64": 8,
    "iteration_50_f32": 2.8,
    "fit_20": 3.5,
}


def rows():
    """Training digits in 50 principal components, float32."""
    from sklearn.decomposition import PCA

    from utils.data import load_mnist, preprocess

    (images, _), _ = load_mnist()
    pca = PCA(50, svd_solver="covariance_eigh")
    return pca.fit_transform(preprocess(images)).astype("float32")


def start_of(x, k):
    """Random rows as means, the covariance of all rows, equal weights."""
    import numpy as np

    from utils.gaussian import Gaussian
    from utils.mixture import Mixture

    some = np.random.default_rng(0).choice(len(x), k, replace=False)
    cov = np.cov(x, rowvar=False, ddof=0, dtype=np.float64)
    components = [Gaussian.from_moments(x[i].astype(float), cov) for i in some]
    return Mixture(np.full(k, 1 / k), tuple(components))


def baseline_of(start, dtype, **options):
    """scikit-learn's mixture with the same start."""
    import numpy as np
    from sklearn.mixture import GaussianMixture

    k = len(start.weights)
    factor = start.components[0].factor
    precision = np.linalg.inv(factor @ factor.T).astype(dtype)
    return GaussianMixture(
        k,
        reg_covar=RIDGE,
        tol=0,
        weights_init=start.weights.astype(dtype),
        means_init=np.stack([c.mean for c in start.components]).astype(dtype),
        precisions_init=np.stack([precision] * k),
        **options,
    )


def iteration_ours(steps, params, blocks):
    sums, log_prob = steps.e_step(params, blocks)
    return steps.m_step(sums, params), log_prob


def iteration_baseline(model, x):
    log_prob, log_resp = model._e_step(x)
    model._m_step(x, log_resp)
    return log_prob


def in_a_row(runs, ours, baseline):
    """Median seconds of one call, of some in a row, while sides take turns."""

    def turn(call):
        call()
        return timed(
            lambda: [call() for _ in range(IN_A_ROW)], clock=time.perf_counter
        )

    pairs = [(turn(ours), turn(baseline)) for _ in range(runs)]
    return [
        statistics.median(side) / IN_A_ROW for side in zip(*pairs, strict=True)
    ]


def iterations(x, k, runs):
    """Seconds of one iteration against both baselines; flops of ours."""
    import numpy as np

    from utils.em import MomentSteps

    start = start_of(x, k)
    cov = np.cov(x, rowvar=False, ddof=0, dtype=np.float64)
    mean = x.mean(axis=0, dtype=np.float64)
    steps = MomentSteps(mean, cov, RIDGE, "full", 10 * np.finfo(x.dtype).eps)
    params = steps.from_data_space(start.weights, start.components)
    blocks = list(steps.blocks(x))
    second, log_prob = iteration_ours(steps, params, blocks)
    found = [log_prob, iteration_ours(steps, second, blocks)[1]]
    seconds = {}
    for name in ("float64", "float32"):
        side = x.astype(name)
        model = baseline_of(start, name, max_iter=1).fit(side)
        wanted = [model.lower_bound_, iteration_baseline(model, side)]
        np.testing.assert_allclose(
            np.divide(found, len(x)), wanted, rtol=0, atol=1e-2
        )
        seconds[f"iteration_{k}_f{name[-2:]}"] = in_a_row(
            runs,
            lambda: iteration_ours(steps, second, blocks),
            lambda: iteration_baseline(model, side),  # noqa: B023
        )
    return seconds, 4 * k * steps.n_features * len(x)


def fits(x, runs):
    """Seconds of a whole fit of 20 iterations of 10 components."""
    import numpy as np

    from utils import mixture

    mixture.SHOW_AFTER = 10**9  # no progress between the lines
    start, x_64 = start_of(x, 10), x.astype(np.float64)

    def ours():
        return mixture.fit_mixture(
            x,
            10,
            np.random.default_rng(0),
            ridge=RIDGE,
            start=start,
            tol=0,
            max_iterations=20,
        )

    def baseline():
        return baseline_of(start, "float64", max_iter=20).fit(x_64)

    assert abs(ours().history[-1] - baseline().lower_bound_) < 1e-2
    return interleaved(runs, ours, baseline, clock=time.perf_counter)


def peak():
    """Floating-point operations a second of a large float32 product."""
    import numpy as np

    n = 3000
    a = np.random.default_rng(0).random((n, n), dtype=np.float32)
    times = [timed(a.dot, a, clock=time.perf_counter) for _ in range(5)]
    return 2 * n**3 / min(times)


def measure(runs):
    """Seconds of both sides of each question, and of ours the flops."""
    x, flops = rows(), {}
    seconds: dict[str, list] = {}
    for k in (10, 50):
        some, flops[k] = iterations(x, k, runs)
        seconds |= some
    seconds["fit_20"] = fits(x, runs)
    return seconds, flops


def report(seconds, flops):
    """Print the table and write the results."""
    print_setting()
    results, best = print_ratios(seconds, AIMS), peak()
    print(f"\nfloat32 product, as measured: {best / 1e9:.0f} Gflop/s")
    for k, count in flops.items():
        ours = min(seconds[f"iteration_{k}_f{bits}"][0] for bits in (64, 32))
        share = count / ours / best
        print(f"one iteration, K = {k}: {share:.0%} of it")
        results[f"iteration_{k}_f32"]["share_of_peak"] = share
    write(results)


if __name__ == "__main__":
    chosen = options(__doc__, threads=2)
    from sklearn.exceptions import ConvergenceWarning

    warnings.simplefilter("ignore", ConvergenceWarning)  # tol is 0
    report(*measure(chosen.runs))

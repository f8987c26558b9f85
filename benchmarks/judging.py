"""How fast are the scores beside what a reader would write instead?

    python -m benchmarks.judging

Prints a table and writes build/bench_judging.json. Both sides of a question
run in turn in one process, on the same arrays, and the median of their CPU
times counts; their answers are compared first. The baselines are

- frechet: SciPy's matrix square root of the product of the covariances;
- neighbours: scikit-learn's NearestNeighbors for each radius, then SciPy's
  cdist for the balls;
- neighbours_brute: the same with scikit-learn's `pairwise_distances`
  throughout, as the authors of density and coverage publish it;
- ridge_path: one Cholesky factor for each of 25 ridges, by our own
  `Gaussian.from_moments`, on 2,000 rows.

Frechet and neighbours are of what `read_shapes` gives. Last comes what one
draw of 2,500 samples costs on the scoreboard, but for copies.
"""

import statistics

from tools.bench import (
    interleaved,
    options,
    print_ratios,
    print_setting,
    timed,
    write,
)

K = 5
AIMS = {"neighbours": 1.5, "ridge_path": 5}
SCORE_AIM = 3.0  # seconds, at most


def frechet_baseline(a, b):
    import numpy as np
    from scipy.linalg import sqrtm

    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    gap = a.mean(axis=0) - b.mean(axis=0)
    root = sqrtm(cov_a @ cov_b).real
    return gap @ gap + np.trace(cov_a + cov_b - 2 * root)


def neighbours_baseline(real, fake):
    from scipy.spatial.distance import cdist
    from sklearn.neighbors import NearestNeighbors

    def reach(x):
        nearest = NearestNeighbors(n_neighbors=K).fit(x)
        return nearest.kneighbors()[0][:, -1]

    return shares(cdist(real, fake), reach(real), reach(fake))


def neighbours_brute(real, fake):
    import numpy as np
    from sklearn.metrics import pairwise_distances

    def reach(x):
        distance = pairwise_distances(x, x, metric="euclidean", n_jobs=1)
        return np.sort(distance, axis=1)[:, K]

    distance = pairwise_distances(real, fake, metric="euclidean", n_jobs=1)
    return shares(distance, reach(real), reach(fake))


def shares(distance, real_reach, fake_reach):
    """Precision, recall, density and coverage."""
    in_real = distance <= real_reach[:, None]
    return [
        in_real.any(axis=0).mean(),
        (distance <= fake_reach).any(axis=1).mean(),
        in_real.sum(axis=0).mean() / K,
        in_real.any(axis=1).mean(),
    ]


def path_ours(mean, cov, x, ridges):
    from utils.gaussian import ridge_log_prob

    return ridge_log_prob(mean, cov, x, ridges)


def path_baseline(mean, cov, x, ridges):
    from utils.gaussian import Gaussian

    return [
        Gaussian.from_moments(mean, cov, ridge=r).log_prob(x) for r in ridges
    ]


def measure(runs):
    """CPU seconds of both sides of each question."""
    import numpy as np

    from utils.data import load_mnist, preprocess
    from utils.scores import frechet_distance, neighbour_scores, read_shapes
    from utils.statistics import class_statistics

    (x_train, y_train), (x_test, _) = load_mnist()
    a, b = (
        read_shapes(preprocess(x_train[:2500])).z,
        read_shapes(preprocess(x_test[:2500])).z,
    )
    stats = class_statistics(x_train, y_train)
    path = (
        stats.mean[3] / 255,
        stats.cov(3) / 255**2,
        preprocess(x_test[:2000]),
        np.logspace(-5, 0, 25),
    )
    questions = {
        "frechet": (
            lambda: frechet_distance(a, b),
            lambda: frechet_baseline(a, b),
        ),
        "neighbours": (
            lambda: neighbour_scores(a, b, K),
            lambda: neighbours_baseline(a, b),
        ),
        "neighbours_brute": (
            lambda: neighbour_scores(a, b, K),
            lambda: neighbours_brute(a, b),
        ),
        "ridge_path": (
            lambda: path_ours(*path),
            lambda: path_baseline(*path),
        ),
    }
    for ours, baseline in questions.values():
        np.testing.assert_allclose(ours(), baseline(), rtol=2e-3)
    return {
        name: interleaved(runs, *sides) for name, sides in questions.items()
    }


def measure_scores(runs):
    """Median CPU seconds of scoring one draw, warm."""
    from utils.data import load_mnist
    from utils.scores import make_reference
    from utils.scores.columns import COLUMNS, Drawn
    from utils.scores.protocol import LABELS

    train, test = load_mnist()
    reference = make_reference(*train, *test)

    def score():
        drawn = Drawn(reference.x[1], LABELS, True, reference)
        for column in COLUMNS:
            if column.each:
                column.each(drawn)

    score()
    return statistics.median(timed(score) for _ in range(runs))


def main(runs):
    """Print the table and write the results."""
    print_setting()
    results = print_ratios(measure(runs), AIMS)
    seconds = measure_scores(runs)
    missed = "  missed" if seconds > SCORE_AIM else ""
    print(f"{'scores of one draw':22}{seconds:7.2f} s  <= {SCORE_AIM}{missed}")
    write(results | {"scores": {"cpu_s": seconds}})


if __name__ == "__main__":
    main(options(__doc__).runs)

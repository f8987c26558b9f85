"""Scores: how well a model draws, and how likely new digits are under it.

`judge` reads digits, `shapes` says where their ink is, `metrics` has the
scores as functions of arrays, `columns` the list of those on the scoreboard,
`protocol` scores a model, `board` keeps and shows the rows, and `ladder` has
disturbances of real digits to try a score on.
"""

from utils.scores.board import (
    Scoreboard,
    pool_trainings,
    read_scoreboard,
    read_seeds,
)
from utils.scores.judge import read_digits
from utils.scores.metrics import (
    bits_per_dim,
    class_consistency,
    copied_share,
    frechet_distance,
    nearest_distance,
    neighbour_scores,
    tone_difference,
)
from utils.scores.protocol import (
    disjoint_choices,
    make_reference,
    sample_classes,
    score_model,
    stratified_choice,
)
from utils.scores.shapes import cut, read_shapes

__all__ = [
    "Scoreboard",
    "bits_per_dim",
    "class_consistency",
    "copied_share",
    "cut",
    "disjoint_choices",
    "frechet_distance",
    "make_reference",
    "nearest_distance",
    "neighbour_scores",
    "pool_trainings",
    "read_digits",
    "read_scoreboard",
    "read_seeds",
    "read_shapes",
    "sample_classes",
    "score_model",
    "stratified_choice",
    "tone_difference",
]

"""Scores: how well a model draws, and how likely new digits are under it.

`judge` reads digits, `metrics` has the scores as functions of arrays,
`columns` the list of those on the scoreboard, `protocol` scores a model, and
`board` keeps and shows the rows.
"""

from utils.scores.board import Scoreboard, read_scoreboard, read_seeds
from utils.scores.judge import read_digits
from utils.scores.metrics import (
    bits_per_dim,
    class_consistency,
    frechet_distance,
    nearest_distance,
    neighbour_scores,
)
from utils.scores.protocol import (
    make_reference,
    sample_classes,
    score_model,
    stratified_choice,
)

__all__ = [
    "Scoreboard",
    "bits_per_dim",
    "class_consistency",
    "frechet_distance",
    "make_reference",
    "nearest_distance",
    "neighbour_scores",
    "read_digits",
    "read_scoreboard",
    "read_seeds",
    "sample_classes",
    "score_model",
    "stratified_choice",
]

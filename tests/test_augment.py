"""Digits made at random: moved and turned, by no more than asked."""

import numpy as np
import pytest
from scipy.ndimage import rotate

from utils.augment import augment
from utils.data import load_mnist


def some_digits(n=300):
    (images, y), _ = load_mnist()
    return images[:n].reshape(n, -1), y[:n]


def test_augmented_digits_are_the_same_for_the_same_seed():
    x, y = some_digits()
    one, two, other = (
        augment(x, y, 50, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert (one[0] != other[0]).any()
    assert one[0].dtype == np.uint8 and one[0].shape == (50, 784)


def test_digits_that_do_not_move_are_themselves():
    x, y = some_digits()
    drawn, labels = augment(
        x, y, 200, np.random.default_rng(0), shift=0, angle=0
    )
    known = {(row.tobytes(), label) for row, label in zip(x, y, strict=True)}
    for row, label in zip(drawn, labels, strict=True):
        assert (row.tobytes(), label) in known


def test_digits_move_by_whole_pixels_in_each_direction():
    dot = np.zeros((1, 28, 28), np.uint8)
    dot[0, 14, 10] = 255
    drawn, _ = augment(
        dot.reshape(1, -1), [3], 400, np.random.default_rng(0), 2, 0
    )
    assert (drawn.sum(axis=1) == 255).all()
    at = set(zip(*np.divmod(drawn.argmax(axis=1), 28), strict=True))
    assert at == {(r, c) for r in range(12, 17) for c in range(8, 13)}


def test_digits_do_not_come_in_again_at_the_other_side():
    edge = np.zeros((1, 28, 28), np.uint8)
    edge[0, 0] = 255
    drawn, _ = augment(
        edge.reshape(1, -1), [3], 100, np.random.default_rng(0), 2, 0
    )
    assert not drawn.reshape(-1, 28, 28)[:, 14:].any()


def test_digits_turn_as_scipy_turns_them():
    x, y = some_digits(1)
    drawn, _ = augment(x, y, 200, np.random.default_rng(0), 0, 3)
    wanted = {
        np.rint(
            rotate(
                x.reshape(28, 28).astype(np.float32),
                angle,
                reshape=False,
                order=1,
            )
        )
        .astype(np.uint8)
        .tobytes()
        for angle in range(-3, 4)
    }
    assert {row.tobytes() for row in drawn} == wanted


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": np.zeros((3, 784))}, "x must be uint8, got float64"),
        ({"x": np.zeros((3, 100), np.uint8)}, r"x must have shape \(any, 784"),
        ({"y": [1, 2]}, "y has 2 labels for 3 rows"),
        ({"n": -1}, "n must be a whole number"),
        ({"rng": 0}, "rng must be a numpy.random.Generator"),
        ({"shift": 0.5}, "shift must be a whole number"),
        ({"angle": -1}, "angle must be a whole number"),
    ],
)
def test_augment_says_what_is_wrong(change, message):
    given = {
        "x": np.zeros((3, 784), np.uint8),
        "y": [0, 1, 2],
        "n": 2,
        "rng": np.random.default_rng(0),
    }
    with pytest.raises(ValueError, match=message):
        augment(**(given | change))

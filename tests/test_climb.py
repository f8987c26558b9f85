"""README's picture in motion shows the stored rows."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from tools.climb import STEPS, climb, find_steps, is_fresh
from tools.notebooks import ROOT
from utils.scores.board import unpack


@pytest.fixture(scope="module")
def rows():
    return json.loads((ROOT / "utils/scores/rows.json").read_text("utf-8"))


def test_steps_go_from_the_worst_to_the_best(rows):
    steps = find_steps(rows)
    assert {row.model for row in steps} == STEPS
    shapes = [row.scores["shapes"][0] for row in steps]
    assert shapes == sorted(shapes, reverse=True)


def test_the_picture_shows_the_digits_and_knows_its_rows(rows, tmp_path):
    steps = find_steps(rows)[:2]
    path = tmp_path / "climb.png"
    assert not is_fresh(path, steps)
    path.write_bytes(climb(steps))
    assert is_fresh(path, steps)
    assert not is_fresh(path, steps[:1])
    file = Image.open(io.BytesIO(path.read_bytes()))
    file.seek(file.n_frames - 1)
    seven = np.asarray(file.convert("L"))[8:64:2, 456:512:2]
    wanted = 1 - unpack(steps[1].samples)[28].reshape(28, 28)
    assert np.abs(seven / 255 - wanted).max() <= 0.5 / 15 + 1e-6


def test_the_stored_picture_is_small_and_fresh(rows):
    path = ROOT / "notebooks" / "climb.png"
    assert is_fresh(path, find_steps(rows))
    assert path.stat().st_size < 250_000

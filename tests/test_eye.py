"""tools.eye: sheets that do not tell whose digits they show."""

import json

import numpy as np
import pytest
from PIL import Image

from tools import eye
from utils.scores.board import Row, pack

PALE, DARK = "a pale model", "a dark model"


def make_row(model, x):
    return Row(
        model=model,
        lesson=6,
        scores={},
        samples=pack(x),
        machine="",
        judge="",
    )


@pytest.fixture
def board(monkeypatch):
    """Two models, one of which draws faint digits and the other dark ones."""
    rng = np.random.default_rng(3)
    pale, dark = (eye.real_digits(rng) for _ in range(2))
    rows = [make_row(PALE, 0.3 * pale), make_row(DARK, dark**0.5)]
    monkeypatch.setattr(eye, "read_scoreboard", lambda: rows)
    return rows


def test_the_tone_is_matched_by_rank():
    real = eye.real_digits(np.random.default_rng(0))
    other = eye.real_digits(np.random.default_rng(1))
    found = eye.match_tone(other, real)
    np.testing.assert_array_equal(np.sort(found, None), np.sort(real, None))
    ranks = np.lexsort((other.ravel(), found.ravel()))  # from light to dark
    assert (np.diff(other.ravel()[ranks]) >= 0).all()
    np.testing.assert_array_equal(eye.match_tone(real, real), real)
    for curve in (lambda x: 0.3 * x, np.square, lambda x: 1 + x):
        again = eye.match_tone(curve(other.astype(float)), real)
        assert np.mean(again != found) < 0.02  # of equal ones


def test_equal_pixels_get_ink_where_ink_is():
    x = np.zeros((1, 784))
    x[0, 400] = 1
    real = np.zeros((1, 784))
    real[0, :9] = 1
    found = eye.match_tone(x, real).reshape(28, 28)
    assert found[13:16, 7:10].sum() == 9


def test_real_digits_are_four_of_each_class():
    found = eye.real_digits(np.random.default_rng(0))
    assert found.shape == (40, 784) and len(np.unique(found, axis=0)) == 40


def read_key(out):
    return json.loads((out / "key.json").read_text("utf-8"))


def test_a_sheet_shows_forty_of_each_and_does_not_tell_whose(
    board, tmp_path, capsys
):
    (tmp_path / "sheet_9.png").touch()  # of another time
    eye.main([PALE, DARK], tmp_path)
    shown = capsys.readouterr().out
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["key.json", "sheet_1.png"]
    assert "sheet_1.png" in shown and PALE not in shown
    key = read_key(tmp_path)
    assert {name: key.count(name) for name in key} == {
        eye.REAL: 40,
        PALE: 40,
        DARK: 40,
    }
    assert len(set(key[:20])) == 3  # shuffled
    page = np.asarray(Image.open(tmp_path / "sheet_1.png"))
    assert page.ndim == 2  # no colour
    size, gap = eye.TILE, eye.GAP
    wide, high = size + gap, size + gap + eye.NUMBER
    tiles = [
        page[top : top + size, left : left + size]
        for top in gap + high * np.arange(10)
        for left in gap + wide * np.arange(12)
    ]
    ink = np.array([255 - tile.mean() for tile in tiles])
    means = [ink[np.array(key) == name].mean() for name in set(key)]
    assert np.ptp(means) < 1  # of 255: the tone gives nothing away
    assert min(ink) > 5  # no place is empty


def test_many_models_take_more_sheets_and_the_seed_decides(board, tmp_path):
    for folder, seed in [("a", "0"), ("b", "0"), ("c", "1")]:
        eye.main([PALE, "--seed", seed], tmp_path / folder)
    keys = [read_key(tmp_path / folder) for folder in "abc"]
    assert keys[0] == keys[1] != keys[2] and len(keys[0]) == 80
    board += [make_row(f"m{i}", 0.5 * np.ones((40, 784))) for i in range(4)]
    eye.main([row.model for row in board], tmp_path)
    assert len(list(tmp_path.glob("sheet_*.png"))) == 3  # 280 of 120
    assert len(read_key(tmp_path)) == 280


def test_broken_ones_are_counted(board, tmp_path, capsys):
    eye.main([PALE, DARK], tmp_path)
    key = read_key(tmp_path)
    numbers = {m: [i + 1 for i, k in enumerate(key) if k == m] for m in key}
    wrong = numbers[DARK][:10] + numbers[PALE][:3] + numbers[DARK][:2]
    capsys.readouterr()
    eye.main(["--broken", *map(str, wrong)], tmp_path)
    assert capsys.readouterr().out.splitlines() == [
        "  0 of 40 ± 0.0  real digits",
        "  3 of 40 ± 1.7  a pale model",
        " 10 of 40 ± 2.7  a dark model",
    ]
    eye.main(["--broken"], tmp_path)
    assert capsys.readouterr().out.count("  0 of 40") == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["GAN of old"], "no row is named ['GAN of old']; there are a pale"),
        (["short"], "the row of short keeps 10 pictures"),
        (["--broken", "3", "0", "81"], "from 1 to 80, got [0, 81]"),
        (["--broken", "x"], "invalid int value"),
    ],
)
def test_what_is_wrong_is_named(board, tmp_path, capsys, arguments, message):
    board.append(make_row("short", np.zeros((10, 784))))
    eye.main([PALE], tmp_path)
    with pytest.raises(SystemExit):
        eye.main(arguments, tmp_path)
    assert message in capsys.readouterr().err


def test_nothing_is_counted_before_there_are_sheets(tmp_path, capsys):
    with pytest.raises(SystemExit):
        eye.main(["--broken", "1"], tmp_path)
    assert "key.json" in capsys.readouterr().err

"""Weights that a lesson does not train: stored, known, checked."""

import json
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from tools import weights as tool
from tools.networks import train_network, variants
from utils import weights
from utils.weights import load_weights

CELLS = [
    ("set-up", ""),
    (
        "",
        "import numpy as np\nfrom utils import scores\n"
        "from utils.scores import cut",
    ),
    ("", "SEED = 3\nWEIGHTS = 'tiny.npz'\nSTORED = dict(n=2)"),
    ("model", "def make_model(n=1):\n    return n"),
    ("", "print(make_model())"),
]


class Tiny:
    """As much of a network as has weights."""

    def __init__(self, *shapes):
        self.weights = [np.zeros(shape, "float32") for shape in shapes]

    def get_weights(self):
        return self.weights

    def set_weights(self, found):
        self.weights = found


def lesson(root, cells):
    notebook = nbformat.v4.new_notebook()
    for tag, source in cells:
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata["tags"] = [tag] if tag else []
        notebook.cells.append(cell)
    path = root / "notebooks" / "20_tiny.ipynb"
    path.parent.mkdir(exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", tmp_path)
    (tmp_path / "weights.json").write_text("{}\n")
    return tmp_path


def test_weights_come_back_as_float16_keeps_them(folder):
    model, other = Tiny((3, 2), (2,)), Tiny((3, 2), (2,))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=w.shape) for w in model.weights])
    tool.store_weights(model, "tiny.npz", "of this code")
    load_weights(other, "tiny.npz")
    for found, wanted in zip(other.weights, model.weights, strict=True):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted.astype("float16"))
    assert weights.read_record()["tiny.npz"]["code"] == "of this code"


def test_a_file_that_is_not_the_stored_one_is_refused(folder):
    tool.store_weights(Tiny((2,)), "tiny.npz", "")
    with pytest.raises(ValueError, match=r"shapes \[\(3,\)\], tiny.npz of"):
        load_weights(Tiny((3,)), "tiny.npz")
    with pytest.raises(ValueError, match="name must be one of"):
        load_weights(Tiny((2,)), "other.npz")
    path = folder / "tiny.npz"
    raw = path.read_bytes()
    for bad in [raw[:-1], raw[:50] + bytes([raw[50] ^ 1]) + raw[51:]]:
        path.write_bytes(bad)
        with pytest.raises(ValueError, match="expected sha256"):
            load_weights(Tiny((2,)), "tiny.npz")
    path.unlink()
    with pytest.raises(FileNotFoundError, match="tiny.npz is missing"):
        load_weights(Tiny((2,)), "tiny.npz")


def test_weights_that_are_no_numbers_are_not_stored(folder):
    model = Tiny((2,))
    for bad in [np.nan, 1e6]:  # float16 ends at 65504
        model.set_weights([np.array([bad, 0], "float32")])
        with pytest.raises(ValueError, match="float16"):
            tool.store_weights(model, "tiny.npz", "")
    assert not (folder / "tiny.npz").exists()


def test_weights_are_stale_once_their_code_has_changed(folder):
    path = lesson(folder, CELLS)
    assert list(tool.stored_networks(folder)) == [(path, "tiny.npz")]
    [line] = tool.stale_weights(folder)
    assert line.startswith("tiny.npz: ") and line.endswith("LESSON=20")
    tool.store_weights(Tiny((2,)), "tiny.npz", tool.weights_code(path))
    assert list(tool.stale_weights(folder)) == []
    same = [(t, s.replace("cut", "cut, read_digits")) for t, s in CELLS]
    same[-1] = "", "print('no cell of the model')"
    lesson(folder, same)
    assert list(tool.stale_weights(folder)) == []  # scores train nothing
    lesson(folder, [(t, s.replace("n=1", "n=5")) for t, s in CELLS])
    assert len(list(tool.stale_weights(folder))) == 1


def test_the_network_that_is_stored_is_the_one_that_is_asked_for():
    seen = []
    network = {
        "keras": SimpleNamespace(
            utils=SimpleNamespace(set_random_seed=seen.append)
        ),
        "make_model": lambda grey=False: {"grey": grey},
        "train": lambda model, x, y, epochs: seen.append((x, y, epochs)),
        "EPOCHS": 2,
        "STORED": {"grey": True},
        "STORED_EPOCHS": 7,
    }
    for (options, epochs), grey in zip(variants(network), [0, 1], strict=True):
        model = train_network(network, 3, "x", "y", epochs, options)
        assert model == {"grey": grey}
    assert seen == [3, ("x", "y", 2), 3, ("x", "y", 7)]


def test_the_stored_weights_are_those_of_the_lessons():
    known = {name for _, name in tool.stored_networks()}
    assert set(weights.read_record()) == known
    assert list(tool.stale_weights()) == []
    for name in known:
        size = (weights.FOLDER / name).stat().st_size
        assert size <= 4e6, f"{name} has {size:,} bytes"
    text = (weights.FOLDER / weights.RECORD).read_text("utf-8")
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + (
        "\n"
    )

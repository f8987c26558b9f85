"""The grid of digits, pixel by pixel."""

import base64
import io

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

matplotlib.use("agg")

import matplotlib.pyplot as plt  # noqa: E402

from utils import plotting  # noqa: E402
from utils.plotting import GAP, draw_grid  # noqa: E402

few = settings(derandomize=True, deadline=None, max_examples=20, database=None)


@pytest.fixture(autouse=True)
def no_figure_is_left():
    plt.close("all")
    yield
    plt.close("all")


def brute_force_mosaic(images, n_columns):
    """Each pixel looked up on its own; NaN between the images."""
    n, side, _ = images.shape
    n_rows = -(-n // n_columns)
    step = side + GAP
    mosaic = np.full((n_rows * step - GAP, n_columns * step - GAP), np.nan)
    for row, column in np.ndindex(mosaic.shape):
        i, r = divmod(row, step)
        j, c = divmod(column, step)
        k = i * n_columns + j
        if r < side and c < side and k < n:
            mosaic[row, column] = images[k, r, c]
    return mosaic


def drawn(ax):
    """The one image of the axes, NaN where it is masked."""
    (image,) = ax.images
    return np.ma.filled(image.get_array().astype(float), np.nan)


@few
@given(st.data())
def test_mosaic_is_exact(data):
    n, side, n_columns = (
        data.draw(st.integers(1, high)) for high in (7, 4, 5)
    )
    images = data.draw(
        arrays(float, (n, side, side), elements=st.floats(-2, 3, width=32))
    )
    kept = images.copy()
    x = images.reshape(n, -1) if data.draw(st.booleans()) else images
    assert draw_grid(x, n_columns) is None
    wanted = brute_force_mosaic(images, n_columns)
    np.testing.assert_array_equal(drawn(plt.gca()), wanted)
    np.testing.assert_array_equal(images, kept)
    plt.close("all")


@few
@given(
    arrays(
        np.int8,
        st.tuples(st.integers(1, 4), st.just(9)),
        elements=st.integers(-128, 127),
    )
)
def test_each_image_on_its_own_scale(x):
    draw_grid(x, 2, scale="each")
    wanted = []
    for row in x.astype(float):
        spread = row.max() - row.min()
        wanted.append((row - row.min()) / (spread if spread else 1))
    wanted = brute_force_mosaic(np.reshape(wanted, (-1, 3, 3)), 2)
    np.testing.assert_allclose(drawn(plt.gca()), wanted, rtol=1e-15)
    assert plt.gca().images[0].get_clim() == (0, 1)
    plt.close("all")


@pytest.mark.parametrize("scale", [(0, 1), (-0.5, 2.0), (0, 255)])
def test_values_outside_the_scale_are_clipped(scale):
    low, high = scale
    x = np.array([[low - 9, low, high, high + 9]], float)
    draw_grid(x, 1, scale=scale)
    (image,) = plt.gca().images
    assert image.get_clim() == scale
    shades = image.to_rgba(image.get_array())[..., :3]
    below, white, black, above = shades.reshape(4, 3)
    np.testing.assert_array_equal(white, [1, 1, 1])
    np.testing.assert_array_equal(black, [0, 0, 0])
    np.testing.assert_array_equal(below, white)
    np.testing.assert_array_equal(above, black)


def test_default_scale_and_colours():
    draw_grid(np.zeros((2, 4)))
    (image,) = plt.gca().images
    assert image.get_clim() == (0, 1)
    assert image.get_cmap().name == "gray_r"
    draw_grid(np.zeros((2, 4)), ax=plt.gca(), cmap=plt.get_cmap("coolwarm"))
    assert plt.gca().images[1].get_cmap().name == "coolwarm"


def test_labels_stand_on_their_images():
    x = np.arange(5)[:, None] * np.ones(9) / 5
    draw_grid(
        x,
        3,
        labels=range(5),
        row_labels=np.array(["top", "low"]),
        column_labels=("a", "b", "c"),
    )
    ax = plt.gca()
    mosaic = drawn(ax)
    assert [text.get_text() for text in ax.texts] == list("01234")
    for value, text in enumerate(ax.texts):
        left, top = text.get_position()
        assert mosaic[int(top), int(left)] == value / 5
        assert text.get_verticalalignment() == "top"  # inside the image
    assert [t.get_text() for t in ax.get_yticklabels()] == ["top", "low"]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["a", "b", "c"]
    middles = [1, 1 + 3 + GAP, 1 + 2 * (3 + GAP)]
    assert ax.get_xticks().tolist() == middles
    assert ax.get_yticks().tolist() == middles[:2]


def test_no_labels_no_ticks():
    draw_grid(np.zeros((4, 9)), 2)
    ax = plt.gca()
    assert not ax.texts and not len(ax.get_xticks() + ax.get_yticks())


def test_given_axes_are_used_and_no_figure_is_made():
    figure, (left, right) = plt.subplots(1, 2)
    assert draw_grid(np.zeros((4, 9)), 2, ax=right) is None
    assert plt.get_fignums() == [figure.number]
    assert len(right.images) == 1 and not left.images


def test_a_new_figure_fits_the_grid_and_renders():
    draw_grid(np.zeros((50, 784)), 10, labels=[0] * 50)
    figure = plt.gcf()
    assert len(plt.get_fignums()) == len(figure.axes) == 1
    width, height = figure.get_size_inches()
    assert height == pytest.approx(width / 2)
    figure.canvas.draw()


# matplotlibrc, which a style of ours lies upon

ALONE = {  # what matters without a style, too
    "image.origin": "lower",
    "image.aspect": "auto",
    "image.interpolation": "bilinear",
}
HOSTILE = ALONE | {
    "image.cmap": "jet",
    "axes.prop_cycle": plt.cycler(color="rgb"),
    "axes.titlecolor": "red",
    "figure.autolayout": True,
    "hist.bins": 3,
    "lines.color": "red",
    "lines.linestyle": "none",
    "lines.marker": "x",
    "patch.facecolor": "red",
    "patch.force_edgecolor": True,
    "savefig.bbox": "tight",
    "savefig.facecolor": "red",
    "savefig.transparent": True,
    "legend.labelcolor": "linecolor",
    "text.parse_math": False,
    "text.usetex": True,
    "xtick.labelcolor": "red",
    "ytick.labelcolor": "red",
}


def look(*styles):
    """Pixels of a figure as the lessons draw them, in some styles."""
    with plt.style.context(["default", *styles]):
        _, (left, middle, right) = plt.subplots(1, 3)
        digits = np.arange(36).reshape(4, 9) / 36
        draw_grid(digits, 2, ax=left, labels=range(4), row_labels="ab")
        middle.imshow(digits)
        middle.set(title="$x$", xlabel="ink")
        middle.hlines(1, 0, 5)
        middle.add_patch(plt.Circle((2, 2), 1))
        right.hist(np.arange(99) ** 2, label="squares")
        right.plot([0, 9999], [0, 20], label="line")
        right.legend()
        file = io.BytesIO()
        plt.savefig(file)
        file.seek(0)
        return plt.imread(file)


@pytest.mark.parametrize(
    "settings", [HOSTILE, "dark_background"], ids=["hostile", "dark"]
)
def test_the_style_of_the_lessons_hides_the_settings_of_the_user(settings):
    wanted = look("utils.lesson")
    np.testing.assert_array_equal(look(settings, "utils.lesson"), wanted)


def test_a_grid_stands_upright_in_any_style():
    with plt.rc_context(ALONE):
        draw_grid(np.zeros((4, 9)), 2)
    (image,) = plt.gca().images
    found = image.origin, plt.gca().get_aspect(), image.get_interpolation()
    assert found == ("upper", 1, "nearest")
    assert plt.gca().yaxis_inverted()


X = np.zeros((4, 9))


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (np.zeros(9), {}, r"x must .* got \(9,\)"),
        (np.zeros((4, 8)), {}, r"x must .* got shape \(4, 8\)"),
        (np.zeros((4, 2, 3)), {}, r"x must .* got shape \(4, 2, 3\)"),
        (np.zeros((0, 9)), {}, r"x must .* got shape \(0, 3, 3\)"),
        (np.zeros((4, 0)), {}, r"x must .* got shape \(4, 0, 0\)"),
        (np.full((4, 9), np.nan), {}, "x holds 36 .* NaN"),
        (np.full((4, 9), "a"), {}, "x .* <U1"),
        (X > 0, {}, "x .* bool"),
        (X, {"n_columns": 0}, "n_columns must .* got 0"),
        (X, {"n_columns": -2}, "n_columns must .* got -2"),
        (X, {"n_columns": 2.0}, "n_columns must .* got 2.0"),
        (X, {"labels": "abc"}, "labels must have 4, got 3"),
        (X, {"row_labels": "abc"}, "row_labels must have 1, got 3"),
        (X, {"column_labels": "abc"}, "column_labels must have 10, got 3"),
        (X, {"scale": "all"}, "scale must .* 'all'"),
        (X, {"scale": 5}, "scale must .* got 5"),
        (X, {"scale": (1, 0)}, r"scale must .* \(1, 0\)"),
        (X, {"scale": (0, 0)}, r"scale must .* \(0, 0\)"),
        (X, {"scale": (0, np.nan)}, "scale must .* nan"),
        (X, {"scale": (0, 1, 2)}, r"scale must .* \(0, 1, 2\)"),
        (X, {"cmap": "no such map"}, "cmap must .* 'no such map'"),
        (X, {"ax": plt}, "ax must .* got module"),
    ],
)
def test_bad_input_is_named_and_leaves_no_figure(x, options, message):
    with pytest.raises(ValueError, match=message):
        draw_grid(x, **options)
    assert not plt.get_fignums()


def test_bad_input_leaves_the_axes_as_they_were():
    _, ax = plt.subplots()
    before = len(ax.get_children()), ax.get_xlim(), list(ax.get_xticks())
    with pytest.raises(ValueError, match="labels"):
        draw_grid(X, 2, ax=ax, labels=[1])
    with pytest.raises(ValueError, match="scale"):
        draw_grid(X, 2, ax=ax, scale="no")
    after = len(ax.get_children()), ax.get_xlim(), list(ax.get_xticks())
    assert after == before


@pytest.fixture
def shown(monkeypatch):
    """What is handed to the notebook: (data, metadata) of each output."""
    found = []

    def display(data, raw=False, metadata=None):
        found.append((data, metadata["image/png"]))

    monkeypatch.setattr(plotting, "display", display)
    return found


def test_show_gives_the_figure_its_text(shown):
    figure, ax = plt.subplots()
    ax.plot([1, 2])
    plotting.show("A line that rises from one to two.")
    assert shown == [(figure, {"alt": "A line that rises from one to two."})]
    assert not plt.get_fignums()


def test_play_stores_all_frames_and_rests_on_the_last(shown):
    figure, ax = plt.subplots(figsize=(3, 2), layout="none")
    ax.set_axis_off()
    patch = ax.axvspan(0, 1, color="C0")

    def draw(level):
        patch.set_color(str(level))

    plotting.play(draw, [0, 0.5, 1], "Black turns to white.", seconds=3)
    [(data, metadata)] = shown
    assert metadata == {"alt": "Black turns to white."}
    file = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    levels, durations = [], []
    for frame in range(file.n_frames):  # the first is the still picture
        file.seek(frame)
        levels.append(file.convert("L").getpixel((150, 100)))
        durations.append(file.info.get("duration"))
    assert levels == pytest.approx([255, 0, 128, 255], abs=3)
    assert durations[1:] == pytest.approx([2000 / 3, 2000 / 3, 1000], rel=0.01)
    assert not plt.get_fignums()

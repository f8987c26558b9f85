"""Pictures of many digits at once; figures with a text, and in motion."""

import base64
import io
import math
from collections.abc import Callable, Iterable

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Colormap
from PIL import Image

from utils.checks import as_array, check_count, finite_array

__all__ = ["draw_grid", "play", "show"]

GAP = 2  # pixels between tiles


def draw_grid(
    x: npt.ArrayLike,
    n_columns: int = 10,
    *,
    ax: plt.Axes | None = None,
    scale: tuple[float, float] | str = (0, 1),
    labels: Iterable | None = None,
    row_labels: Iterable | None = None,
    column_labels: Iterable | None = None,
    cmap: str | Colormap = "gray_r",
) -> None:
    """Draw rows of pixels as one mosaic of square images.

    Parameters
    ----------
    x : ndarray of shape (n, side * side) or (n, side, side)
        Filled in row by row, from the top left.
    n_columns : int
    ax : matplotlib.axes.Axes, optional
        By default a new figure of a fitting height.
    scale : (float, float) or "each"
        The values drawn white and black, for all images alike; what lies
        outside is clipped. "each" stretches each image from its own least to
        its own largest value.
    labels : sequence of n values, optional
        Written in the corner of each image.
    row_labels, column_labels : sequence of values, optional
        Written beside each row and above each column.
    cmap : str or matplotlib.colors.Colormap

    Raises
    ------
    ValueError
        If an argument does not fit; no figure is left behind.
    """
    images = _as_images(x)
    n, side = images.shape[:2]
    n_columns = check_count("n_columns", n_columns, 1)
    n_rows = -(-n // n_columns)
    labels = _as_labels("labels", labels, n)
    row_labels = _as_labels("row_labels", row_labels, n_rows)
    column_labels = _as_labels("column_labels", column_labels, n_columns)
    images, low, high = _on_scale(images, scale)
    _check_target(ax, cmap)
    # top and left of each image
    corners = (side + GAP) * np.array([divmod(i, n_columns) for i in range(n)])
    if ax is None:
        width = plt.rcParams["figure.figsize"][0]
        _, ax = plt.subplots(figsize=(width, width * n_rows / n_columns))
    mosaic = _mosaic(images, corners, n_rows, n_columns)
    ax.imshow(
        mosaic,
        cmap=cmap,
        vmin=low,
        vmax=high,
        origin="upper",
        aspect="equal",
        interpolation="nearest",
    )
    _label_edges(ax, side, row_labels, column_labels)
    for (top, left), label in zip(corners, labels, strict=False):
        ax.text(left, top, label, color="C0", va="top", fontsize="small")


def show(alt: str) -> None:
    """Show the current figure, and say in words what is to be seen.

    Parameters
    ----------
    alt : str
        Alternative text, for who cannot see the figure. It is stored with
        the output, where pages find it.
    """
    display(plt.gcf(), metadata={"image/png": {"alt": alt}})
    plt.close()


def play(
    draw: Callable, frames: Iterable, alt: str, *, seconds: float = 5
) -> None:
    """Show the current figure in motion, again and again.

    Parameters
    ----------
    draw : callable
        ``draw(frame)`` draws one frame on the current figure.
    frames : iterable
        What `draw` is called with. The last one is seen where nothing moves,
        as on paper, and stands for a third of the time.
    alt : str
        Alternative text, as in `show`.
    seconds : float
        How long one round takes.
    """
    figure, pixels = plt.gcf(), []
    canvas = FigureCanvasAgg(figure)
    for frame in frames:
        draw(frame)
        canvas.draw()
        pixels.append(np.array(canvas.buffer_rgba())[..., :3])
    plt.close(figure)
    some = np.concatenate(pixels[:: 1 + len(pixels) // 10] + pixels[-1:])
    colours = Image.fromarray(some).quantize(64, Image.Quantize.MAXCOVERAGE)
    palette = np.array(colours.getpalette()).reshape(-1, 3)
    palette[(palette > 245).all(axis=1)] = 255  # the page is white
    colours.putpalette(palette.ravel().tolist())
    still, *moving = (
        Image.fromarray(p).quantize(palette=colours, dither=Image.Dither.NONE)
        for p in [pixels[-1], *pixels]
    )
    each = 1000 * seconds / (1.5 * len(moving))  # milliseconds
    file = io.BytesIO()
    still.save(
        file,
        "png",
        save_all=True,
        default_image=True,
        append_images=moving,
        duration=[each] * (len(moving) - 1) + [1000 * seconds / 3],
        loop=0,
    )
    image = base64.b64encode(file.getvalue()).decode()
    display(
        {"image/png": image, "text/plain": "<Figure in motion>"},
        raw=True,
        metadata={"image/png": {"alt": alt}},
    )


def _label_edges(
    ax: plt.Axes, side: int, row_labels: list, column_labels: list
) -> None:
    """Take away the frame; name each row and column at its middle."""
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    for axis, texts in [(ax.yaxis, row_labels), (ax.xaxis, column_labels)]:
        middles = (side + GAP) * np.arange(len(texts)) + (side - 1) / 2
        axis.set_ticks(middles, texts)


def _mosaic(
    images: np.ndarray, corners: np.ndarray, n_rows: int, n_columns: int
) -> np.ndarray:
    """One array with all images, and NaN between them."""
    side = images.shape[1]
    shape = np.array([n_rows, n_columns]) * (side + GAP) - GAP
    mosaic = np.full(shape, np.nan)
    for (top, left), image in zip(corners, images, strict=True):
        mosaic[top : top + side, left : left + side] = image
    return mosaic


def _check_target(ax: plt.Axes | None, cmap: str | Colormap) -> None:
    """Check where to draw, and in which colours."""
    if not (isinstance(cmap, Colormap) or cmap in plt.colormaps()):
        raise ValueError(f"cmap must be a colour map or name one: {cmap!r}")
    if not isinstance(ax, plt.Axes | None):
        raise ValueError(f"ax must be Axes or None, got {type(ax).__name__}")


def _as_labels(name: str, labels: Iterable | None, n: int) -> list[str]:
    """List of n texts, or an empty one for None."""
    if labels is None:
        return []
    labels = [str(label) for label in labels]
    if len(labels) != n:
        raise ValueError(f"{name} must have {n}, got {len(labels)}")
    return labels


def _on_scale(images: np.ndarray, scale: tuple[float, float] | str) -> tuple:
    """The images, and the values that are drawn white and black."""
    if isinstance(scale, str) and scale == "each":
        images = images - images.min(axis=(1, 2), keepdims=True).astype(float)
        largest = images.max(axis=(1, 2), keepdims=True)
        return images / np.where(largest > 0, largest, 1), 0, 1
    limits = as_array("scale", scale)
    fits = limits.shape == (2,) and limits.dtype.kind in "fiu"
    if not (fits and np.isfinite(limits).all() and limits[0] < limits[1]):
        raise ValueError(
            "scale must be (low, high) with low < high, or 'each'; "
            f"got {scale!r}"
        )
    return images, *limits.tolist()


def _as_images(x: npt.ArrayLike) -> np.ndarray:
    """Array of shape (n, side, side), from rows or images."""
    x = as_array("x", x)
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        if side * side != x.shape[1]:
            raise ValueError(
                f"x must have side * side columns, got shape {x.shape}"
            )
        x = x.reshape(len(x), side, side)
    x = finite_array("x", x, (None, None, None))
    if x.size == 0 or x.shape[1] != x.shape[2]:
        raise ValueError(f"x must hold square images, got shape {x.shape}")
    return x

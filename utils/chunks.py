"""Rows in files: made, written, read, and summed up on one machine or many."""

import os
import zipfile
import zlib
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate
from scipy.sparse import csr_array

from utils.checks import check_count, check_labels, check_rng, check_rows
from utils.statistics import statistics_from_chunks

__all__ = [
    "augment",
    "chunk_files",
    "cluster_statistics",
    "read_chunk",
    "statistics_from_files",
    "write_chunk",
]

SIDE = 28
PATIENCE = 10  # seconds that a scheduler has to answer


def augment(x, y, n, rng, shift=2, angle=10):
    """Draw n digits, each moved and turned a little at random.

    Parameters
    ----------
    x : uint8 ndarray of shape (m, 784)
    y : int ndarray of shape (m,)
    n : int
    rng : numpy.random.Generator
    shift : int
        Most pixels to each side.
    angle : int
        Most degrees to each side; angles are whole degrees.

    Returns
    -------
    x : uint8 ndarray of shape (n, 784)
    y : int ndarray of shape (n,)

    Raises
    ------
    ValueError
        If an argument does not fit.
    """
    x = check_rows("x", x, SIDE**2)
    if x.dtype != np.uint8:
        raise ValueError(f"x must be uint8, got {x.dtype}")
    y = check_labels("y", y, len(x), 256)
    n = check_count("n", n)
    check_rng("rng", rng)
    most = check_count("shift", shift), check_count("angle", angle)
    some = rng.integers(len(x), size=n)
    moves = rng.integers(-most[0], most[0] + 1, size=(n, 2))
    angles = rng.integers(-most[1], most[1] + 1, size=n)
    drawn = np.empty((n, SIDE**2), np.uint8)
    for turn in np.unique(angles):
        rows = np.flatnonzero(angles == turn)
        turned = _turning(turn) @ _moved(x[some[rows]], moves[rows]).T
        drawn[rows] = np.rint(turned.T)
    return drawn, y[some]


def _moved(x, moves):
    """Each row's picture, moved by whole pixels down and to the right."""
    room = np.abs(moves).max(initial=0)
    padded = np.pad(x.reshape(-1, SIDE, SIDE), [(0, 0)] + 2 * [(room, room)])
    down, right = (room - moves[:, :, None] + np.arange(SIDE)).swapaxes(0, 1)
    at = np.arange(len(x))[:, None, None]
    moved = padded[at, down[:, :, None], right[:, None, :]]
    return moved.reshape(-1, SIDE**2).astype(np.float32)


@cache
def _turning(angle):
    """Turning by some degrees as a sparse matrix: it is linear."""
    pixels = np.eye(SIDE**2, dtype=np.float32).reshape(-1, SIDE, SIDE)
    turned = rotate(pixels, angle, axes=(1, 2), reshape=False, order=1)
    return csr_array(turned.reshape(len(turned), -1).T)


def write_chunk(folder, number, total, x, y):
    """Write rows and labels to folder/chunk_NUMBER_of_TOTAL.npz.

    The file appears when it is whole. One npz holds both arrays and a
    checksum of each, so that damage is noticed when it is read.

    Parameters
    ----------
    folder : path
        Made if it is not there.
    number, total : int
        The chunks of a folder are 1 to total.
    x : ndarray of shape (n, d)
    y : int ndarray of shape (n,)

    Returns
    -------
    pathlib.Path
    """
    number = check_count("number", number, 1)
    total = check_count("total", total, number)
    x = check_rows("x", x)
    y = check_labels("y", y, len(x), 256)
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / _name(number, total)
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        with open(part, "wb") as stream:
            np.savez(stream, x=x, y=y)
        return part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _name(number, total):
    return f"chunk_{number:04}_of_{total:04}.npz"


def chunk_files(folder):
    """Files of a folder of chunks, in order, if none is missing.

    Parameters
    ----------
    folder : path

    Returns
    -------
    list of pathlib.Path

    Raises
    ------
    ValueError
        If there is no chunk, one is missing, or two sets are mixed.
    """
    files = sorted(Path(folder).glob("chunk_*_of_*.npz"))
    if not files:
        raise ValueError(f"{folder} holds no chunk")
    total = int(files[0].stem.split("_")[-1])
    wanted = [_name(number, total) for number in range(1, total + 1)]
    found = [file.name for file in files]
    if found != wanted:
        odd = sorted(set(found) ^ set(wanted))
        raise ValueError(
            f"{folder} must hold chunks 1 to {total}; missing or not of the "
            f"set: {', '.join(odd[:5])}"
        )
    return files


def read_chunk(file):
    """Rows and labels of one file.

    Parameters
    ----------
    file : path

    Returns
    -------
    x : ndarray of shape (n, d)
    y : int ndarray of shape (n,)

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, cut off or no chunk; the message names it.
    """
    damage = ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error
    try:
        with (
            open(file, "rb") as stream,
            np.load(stream, allow_pickle=False) as arrays,
        ):
            return arrays["x"], arrays["y"]
    except (*damage, AttributeError, TypeError) as error:
        raise ValueError(f"{file} is no whole chunk: {error}") from error


def statistics_from_files(files, n_classes=10, width=None):
    """Statistics of the rows of some files, one file in memory at a time.

    Parameters
    ----------
    files : sequence of paths
        As written by `write_chunk`.
    n_classes : int
    width : int, optional
        Columns that each file must have; those of the first one if None.

    Returns
    -------
    ClassStatistics

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    ValueError
        If there is no file, or one does not fit; the message names it.
    """
    file = None

    def chunks():
        nonlocal file, width
        for file in files:  # noqa: B007
            x, y = read_chunk(file)
            width = width or x.shape[-1]
            yield check_rows("x", x, width), y

    try:
        return statistics_from_chunks(chunks(), n_classes)
    except ValueError as error:
        if str(file) in str(error) or file is None:
            raise
        raise ValueError(f"{file}: {error}") from error


def cluster_statistics(files, scheduler, n_classes=10):
    """Statistics of the rows of some files, by the workers of a Dask cluster.

    Each worker sums up its share of the files, and only these sums travel.
    If a worker dies, another one does its share again.

    Parameters
    ----------
    files : sequence of paths
        As written by `write_chunk`, where each worker can read them.
    scheduler : distributed.Client or str
        A client, or the address of a scheduler, as tcp://host:8786.
    n_classes : int

    Returns
    -------
    ClassStatistics
        The same numbers as from `statistics_from_files`.

    Raises
    ------
    ConnectionError
        If no scheduler answers at the address.
    FileNotFoundError, ValueError
        As `statistics_from_files`; or if the cluster has no worker.
    """
    files = [str(file) for file in files]
    if not files:
        raise ValueError("files is empty")
    with _client(scheduler) as client:
        n = len(client.nthreads())
        if n == 0:
            raise ValueError(f"{client.scheduler.address} has no worker")
        width = client.submit(_width, files[0], pure=False).result()
        parts = [
            client.submit(
                statistics_from_files,
                files[i::n],
                n_classes,
                width,
                workers=[worker],
                allow_other_workers=True,  # if this one dies
                pure=False,
            )
            for i, worker in enumerate(client.nthreads())
            if files[i::n]
        ]
        total = parts[0].result()
        for part in parts[1:]:
            total += part.result()
        return total


def _width(file):
    return read_chunk(file)[0].shape[-1]


def _client(scheduler):
    """A client to close after use; one that was given stays open."""
    from distributed import Client

    if isinstance(scheduler, Client):
        return nullcontext(scheduler)
    try:
        return Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"no scheduler answers at {scheduler!r}: {error}"
        ) from error

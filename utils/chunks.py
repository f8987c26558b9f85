"""Rows in files: written, read, and summed up one file at a time."""

import os
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from utils.checks import check_count, check_labels, check_rows
from utils.statistics import ClassStatistics, class_statistics

__all__ = [
    "chunk_files",
    "read_chunk",
    "statistics_from_files",
    "write_chunk",
]


def write_chunk(
    folder: str | os.PathLike,
    number: int,
    total: int,
    x: np.ndarray,
    y: np.ndarray,
) -> Path:
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


def chunk_files(folder: str | os.PathLike) -> list[Path]:
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


def read_chunk(file: str | os.PathLike) -> tuple[np.ndarray, np.ndarray]:
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


def statistics_from_files(
    files: Iterable[str | os.PathLike],
    n_classes: int = 10,
    width: int | None = None,
) -> ClassStatistics:
    """Statistics of the rows of some files, one file in memory at a time.

    Parameters
    ----------
    files : iterable of paths
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
    found = None
    for file in files:
        x, y = read_chunk(file)
        try:
            check_rows("x", x, width)
            if found is None:
                found = class_statistics(x, y, n_classes)
            else:
                found.update(x, y)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
    if found is None:
        raise ValueError("files is empty")
    return found

"""Rows in files: written, read, and summed up one file at a time."""

import os
import re
import zipfile
import zlib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np

from utils.checks import (
    check_count,
    check_labels,
    check_rows,
    kind_of_file,
)
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


NAME = re.compile(r"chunk_([0-9]{4,9})_of_([0-9]{4,9})\.npz\Z")


def _name(number, total):
    return f"chunk_{number:04}_of_{total:04}.npz"


def _fits(name, total):
    """Whether a file's name is one of a set of so many."""
    match = NAME.match(name)
    number = int(match[1]) if match else 0
    return 1 <= number <= total and name == _name(number, total)


def check_files(files: Iterable[str | os.PathLike]) -> list[str]:
    """Names of some files, at least one; one name is no list of names."""
    if isinstance(files, str | os.PathLike):
        raise ValueError(
            f"files must be a list of paths, got the path {str(files)!r}; "
            "chunk_files lists the files of a folder"
        )
    names = [str(file) for file in files]
    if not names:
        raise ValueError("files is empty: it must name one file at least")
    return names


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
        If there is no chunk, one is missing, two sets are mixed, or a name
        is another one, as of a second download.
    """
    found = sorted(file.name for file in Path(folder).glob("chunk_*.npz"))
    if not found:
        raise ValueError(
            f"{folder} holds no chunk, no file {_name(1, 1)} or the like; "
            "write_chunk writes them"
        )
    totals = [int(match[2]) for match in map(NAME.match, found) if match]
    total = totals[0] if totals else len(found)
    there = set(found)
    names = (_name(number, total) for number in range(1, total + 1))
    missing = [*islice((n for n in names if n not in there), 5)]
    other = [name for name in found if not _fits(name, total)][:5]
    if missing or other:
        raise ValueError(
            f"{folder} must hold {_name(1, total)} to {_name(total, total)} "
            f"and no other chunk; missing: {', '.join(missing) or 'none'}; "
            f"to be renamed or removed: {', '.join(other) or 'none'}"
        )
    return [Path(folder) / _name(n, total) for n in range(1, total + 1)]


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
    file = Path(file)
    damage = ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error
    try:
        with (
            open(file, "rb") as stream,
            np.load(stream, allow_pickle=False) as arrays,
        ):
            x, y = arrays["x"], arrays["y"]
            if isinstance(x, bytes) or isinstance(y, bytes):
                raise ValueError("x or y is no array")
            return x, y
    except (*damage, AttributeError, TypeError) as error:
        raise ValueError(
            f"{file} is no whole chunk: expected an npz file with the arrays "
            f"x and y, found {kind_of_file(file, error)}. Write it anew, or "
            "fetch it again."
        ) from error


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
    for file in check_files(files):
        x, y = read_chunk(file)
        try:
            check_rows("x", x, width)
            if found is None:
                found = class_statistics(x, y, n_classes)
            else:
                found.update(x, y)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from error
    assert found is not None  # for mypy: there is a file
    return found

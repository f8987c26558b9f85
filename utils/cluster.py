"""Rows in files, summed up by the workers of a Dask cluster."""

import gc
import os
from collections.abc import Iterable
from contextlib import nullcontext
from typing import TYPE_CHECKING

from utils.chunks import check_files, read_chunk, statistics_from_files
from utils.statistics import ClassStatistics

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["cluster_statistics"]

PATIENCE = 10  # seconds that a scheduler has to answer


def cluster_statistics(
    files: Iterable[str | os.PathLike],
    scheduler: "Client | str",
    n_classes: int = 10,
) -> ClassStatistics:
    """Statistics of the rows of some files, by the workers of a Dask cluster.

    Each worker sums up its share of the files, and only these sums travel.
    If a worker dies, another one does its share again.

    Parameters
    ----------
    files : iterable of paths
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
    files = check_files(files)
    with _client(scheduler) as client:
        workers = list(client.nthreads())
        if not workers:
            raise ValueError(
                f"the scheduler at {client.scheduler.address} has no worker; "
                "start one: dask worker ADDRESS"
            )
        n = len(workers)
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
            for i, worker in enumerate(workers[: len(files)])
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
    expected = (
        f"no scheduler answers at {scheduler!r}; scheduler must be a "
        "distributed.Client, or the address of one that runs, as "
        "tcp://host:8786"
    )
    if not isinstance(scheduler, str):  # None would start a cluster here
        raise ConnectionError(f"{expected}, got {type(scheduler).__name__}")
    try:
        return Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        why = str(error)
    # Collected later, while Dask starts another, it would wait for its lock.
    gc.collect()
    raise ConnectionError(f"{expected} ({why})")

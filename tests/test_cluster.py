"""Rows in files, summed up by a Dask cluster, even if a worker dies."""

import gc
import hashlib
import re
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster
from test_chunks import some_digits, write_all

from utils.chunks import statistics_from_files, write_chunk
from utils.cluster import cluster_statistics
from utils.data import load_mnist

pytestmark = pytest.mark.slow

GOLDEN = (  # as in test_statistics.py
    "99eaa544d8e7f7e60cb955693952513e103c493c484eccfa536e81e1605a54ac"
)


def digest(statistics):
    return hashlib.sha256(statistics.cross.tobytes()).hexdigest()


def test_dask_is_imported_where_it_is_used():
    code = (
        "import sys, utils.cluster\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0"
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def all_files(tmp_path_factory):
    (images, y), _ = load_mnist()
    x = images.reshape(len(images), -1)
    return write_all(tmp_path_factory.mktemp("chunks"), x, y, 6)


def test_a_cluster_finds_the_golden_sums(cluster, all_files):
    assert digest(statistics_from_files(all_files)) == GOLDEN
    with Client(cluster) as client:
        assert digest(cluster_statistics(all_files, client)) == GOLDEN
        assert client.status == "running"
    found = cluster_statistics(all_files[::-1], cluster.scheduler_address)
    assert digest(found) == GOLDEN
    assert found.count.sum() == 60_000


def test_more_workers_than_files(cluster, all_files):
    found = cluster_statistics(all_files[:1], cluster.scheduler_address)
    assert digest(found) == digest(statistics_from_files(all_files[:1]))


def test_a_killed_worker_loses_nothing(all_files):
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        before = client.run(lambda: psutil.Process().pid)
        killed = []

        def kill():
            end = time.monotonic() + 30
            while time.monotonic() < end and not killed:
                busy = client.processing()
                for worker, tasks in busy.items():
                    if any("statistics" in str(task) for task in tasks):
                        time.sleep(0.1)  # in the middle of its share
                        psutil.Process(before[worker]).kill()
                        killed.append(worker)
                        break
                time.sleep(0.01)

        thread = threading.Thread(target=kill)
        thread.start()
        found = cluster_statistics(all_files * 3, client)
        thread.join()
        client.wait_for_workers(2, timeout=30)
        after = client.run(lambda: psutil.Process().pid)
    assert len(killed) == 1
    assert before[killed[0]] not in after.values()
    np.testing.assert_array_equal(
        found.cross, 3 * statistics_from_files(all_files).cross
    )
    assert found.count.sum() == 180_000


def test_a_cluster_names_the_damaged_chunk(cluster, tmp_path):
    x, y = some_digits(30)
    files = write_all(tmp_path, x, y, 3)
    files[1].write_bytes(files[1].read_bytes()[:-500])
    with pytest.raises(ValueError, match="chunk_0002_of_0003.npz"):
        cluster_statistics(files, cluster.scheduler_address)


def test_a_cluster_names_the_chunk_of_another_width(cluster, tmp_path):
    x, y = some_digits(30)
    files = write_all(tmp_path, x, y, 2)
    write_chunk(tmp_path, 2, 2, x[:, :700], y)
    with pytest.raises(ValueError, match="chunk_0002.*784.*700"):
        cluster_statistics(files, cluster.scheduler_address)
    files[1].unlink()
    with pytest.raises(FileNotFoundError, match="chunk_0002"):
        cluster_statistics(files, cluster.scheduler_address)


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch):
    monkeypatch.setattr("utils.cluster.PATIENCE", 1)
    for address in [
        *("tcp://127.0.0.1:9", "no address", "tls://127.0.0.1:9"),
        *("http://127.0.0.1:9", "inproc://x", "127.0.0.1", ""),
        *(8786, 3.5, None, True, b"tcp://127.0.0.1:9", ("127.0.0.1", 9)),
    ]:
        text = f"at {re.escape(repr(address))}; .* as tcp://host:8786"
        with pytest.raises(ConnectionError, match=text):
            cluster_statistics(["a file"], address)
        # one that is collected while a cluster starts may lock it for ever
        assert not any(isinstance(one, Client) for one in gc.get_objects())
    with pytest.raises(ValueError, match="files is empty"):
        cluster_statistics([], "tcp://127.0.0.1:9")


def test_a_cluster_without_workers_is_no_cluster(all_files):
    with LocalCluster(n_workers=0, dashboard_address=":0") as nobody:
        with pytest.raises(ValueError, match="no worker; start one"):
            cluster_statistics(all_files, nobody.scheduler_address)

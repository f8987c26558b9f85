"""Rows in files, summed up here and by a Dask cluster."""

import hashlib
import subprocess
import sys
import threading
import time

import numpy as np
import psutil
import pytest
from distributed import Client, LocalCluster
from scipy.ndimage import rotate

from utils.chunks import (
    augment,
    chunk_files,
    cluster_statistics,
    read_chunk,
    statistics_from_files,
    write_chunk,
)
from utils.data import load_mnist
from utils.statistics import class_statistics

GOLDEN = (  # as in test_statistics.py
    "99eaa544d8e7f7e60cb955693952513e103c493c484eccfa536e81e1605a54ac"
)


def some_digits(n=300):
    (images, y), _ = load_mnist()
    return images[:n].reshape(n, -1), y[:n]


def write_all(folder, x, y, n_files):
    parts = zip(
        np.array_split(x, n_files), np.array_split(y, n_files), strict=True
    )
    for number, part in enumerate(parts, 1):
        write_chunk(folder, number, n_files, *part)
    return chunk_files(folder)


def digest(statistics):
    return hashlib.sha256(statistics.cross.tobytes()).hexdigest()


# Digits made at random


def test_augmented_digits_are_the_same_for_the_same_seed():
    x, y = some_digits()
    one, two, other = (
        augment(x, y, 50, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one[0], two[0])
    np.testing.assert_array_equal(one[1], two[1])
    assert (one[0] != other[0]).any()
    assert one[0].dtype == np.uint8 and one[0].shape == (50, 784)


def test_digits_that_do_not_move_are_themselves():
    x, y = some_digits()
    drawn, labels = augment(
        x, y, 200, np.random.default_rng(0), shift=0, angle=0
    )
    known = {(row.tobytes(), label) for row, label in zip(x, y, strict=True)}
    for row, label in zip(drawn, labels, strict=True):
        assert (row.tobytes(), label) in known


def test_digits_move_by_whole_pixels_in_each_direction():
    dot = np.zeros((1, 28, 28), np.uint8)
    dot[0, 14, 10] = 255
    drawn, _ = augment(
        dot.reshape(1, -1), [3], 400, np.random.default_rng(0), 2, 0
    )
    assert (drawn.sum(axis=1) == 255).all()
    at = set(zip(*np.divmod(drawn.argmax(axis=1), 28), strict=True))
    assert at == {(r, c) for r in range(12, 17) for c in range(8, 13)}


def test_digits_do_not_come_in_again_at_the_other_side():
    edge = np.zeros((1, 28, 28), np.uint8)
    edge[0, 0] = 255
    drawn, _ = augment(
        edge.reshape(1, -1), [3], 100, np.random.default_rng(0), 2, 0
    )
    assert not drawn.reshape(-1, 28, 28)[:, 14:].any()


def test_digits_turn_as_scipy_turns_them():
    x, y = some_digits(1)
    drawn, _ = augment(x, y, 200, np.random.default_rng(0), 0, 3)
    wanted = {
        np.rint(
            rotate(
                x.reshape(28, 28).astype(np.float32),
                angle,
                reshape=False,
                order=1,
            )
        )
        .astype(np.uint8)
        .tobytes()
        for angle in range(-3, 4)
    }
    assert {row.tobytes() for row in drawn} == wanted


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": np.zeros((3, 784))}, "x must be uint8, got float64"),
        ({"x": np.zeros((3, 100), np.uint8)}, r"x must have shape \(any, 784"),
        ({"y": [1, 2]}, "y has 2 labels for 3 rows"),
        ({"n": -1}, "n must be a whole number"),
        ({"rng": 0}, "rng must be a numpy.random.Generator"),
        ({"shift": 0.5}, "shift must be a whole number"),
        ({"angle": -1}, "angle must be a whole number"),
    ],
)
def test_augment_says_what_is_wrong(change, message):
    given = {
        "x": np.zeros((3, 784), np.uint8),
        "y": [0, 1, 2],
        "n": 2,
        "rng": np.random.default_rng(0),
    }
    with pytest.raises(ValueError, match=message):
        augment(**(given | change))


# Files


def test_a_chunk_comes_back_as_it_was_written(tmp_path):
    x, y = some_digits(20)
    file = write_chunk(tmp_path / "new" / "folder", 1, 1, x, y)
    again, labels = read_chunk(file)
    np.testing.assert_array_equal(again, x)
    np.testing.assert_array_equal(labels, y)
    assert again.dtype == np.uint8
    assert list(file.parent.iterdir()) == [file]


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    x, y = some_digits(20)
    kept = write_chunk(tmp_path, 1, 1, x, y)

    def fail(stream, **_):
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        write_chunk(tmp_path, 1, 1, x[:5], y[:5])
    assert list(tmp_path.iterdir()) == [kept]
    assert len(read_chunk(kept)[0]) == 20


def test_a_chunk_is_checked_before_it_is_written(tmp_path):
    x, y = some_digits(20)
    for arguments in [(1, 1, x, y[:3]), (2, 1, x, y), (0, 1, x, y)]:
        with pytest.raises(ValueError):
            write_chunk(tmp_path, *arguments)
    assert list(tmp_path.iterdir()) == []


def cut_off(file):
    file.write_bytes(file.read_bytes()[:-500])


def flip_a_bit(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def empty(file):
    file.write_bytes(b"")


def other_names(file):
    with open(file, "wb") as stream:
        np.savez(stream, a=np.zeros(3))


def one_array(file):
    with open(file, "wb") as stream:
        np.save(stream, np.zeros(3))


DAMAGES = [cut_off, flip_a_bit, empty, other_names, one_array]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_is_named(tmp_path, damage):
    x, y = some_digits(30)
    files = write_all(tmp_path, x, y, 3)
    damage(files[1])
    for function, argument in [
        (read_chunk, files[1]),
        (statistics_from_files, files),
    ]:
        with pytest.raises(ValueError, match="chunk_0002_of_0003.npz") as told:
            function(argument)
        assert "no whole chunk" in str(told.value)


def test_a_missing_chunk_is_noticed(tmp_path):
    x, y = some_digits(30)
    with pytest.raises(ValueError, match="holds no chunk"):
        chunk_files(tmp_path)
    files = write_all(tmp_path, x, y, 3)
    assert [file.name[:10] for file in files] == [
        "chunk_0001",
        "chunk_0002",
        "chunk_0003",
    ]
    files[2].unlink()
    with pytest.raises(ValueError, match="chunk_0003_of_0003"):
        chunk_files(tmp_path)
    with pytest.raises(FileNotFoundError, match="chunk_0003_of_0003"):
        statistics_from_files(files)
    write_chunk(tmp_path, 3, 3, x, y)
    write_chunk(tmp_path, 1, 4, x, y)
    with pytest.raises(ValueError, match="chunk_0001_of_0004"):
        chunk_files(tmp_path)


# Sums


@pytest.mark.slow
def test_files_give_the_statistics_of_all_rows(tmp_path):
    x, y = some_digits(1000)
    files = write_all(tmp_path, x, y, 7)
    whole = class_statistics(x, y)
    for some in (files, files[::-1], [str(file) for file in files]):
        found = statistics_from_files(some)
        np.testing.assert_array_equal(found.count, whole.count)
        np.testing.assert_array_equal(found.sum, whole.sum)
        np.testing.assert_array_equal(found.cross, whole.cross)


def test_a_chunk_that_does_not_fit_is_named(tmp_path):
    x, y = some_digits(30)
    files = write_all(tmp_path, x, y, 3)
    write_chunk(tmp_path, 2, 3, x[:, :700], y)
    with pytest.raises(ValueError, match="chunk_0002.*784.*700"):
        statistics_from_files(files)
    with pytest.raises(ValueError, match="chunk_0001.*700.*784"):
        statistics_from_files(files, width=700)
    write_chunk(tmp_path, 2, 3, x, y + 5)
    with pytest.raises(ValueError, match="chunk_0002.*0 ... 9"):
        statistics_from_files(files)
    write_chunk(tmp_path, 2, 3, x / 255, y)
    with pytest.raises(ValueError, match="chunk_0002.*different kinds"):
        statistics_from_files(files)
    with pytest.raises(ValueError, match="empty"):
        statistics_from_files([])


# A cluster


def test_dask_is_imported_where_it_is_used():
    code = (
        "import sys, utils.chunks as c\n"
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


@pytest.mark.slow
def test_a_cluster_finds_the_golden_sums(cluster, all_files):
    assert digest(statistics_from_files(all_files)) == GOLDEN
    with Client(cluster) as client:
        assert digest(cluster_statistics(all_files, client)) == GOLDEN
        assert client.status == "running"
    found = cluster_statistics(all_files[::-1], cluster.scheduler_address)
    assert digest(found) == GOLDEN
    assert found.count.sum() == 60_000


@pytest.mark.slow
def test_more_workers_than_files(cluster, all_files):
    found = cluster_statistics(all_files[:1], cluster.scheduler_address)
    assert digest(found) == digest(statistics_from_files(all_files[:1]))


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_cluster_names_the_damaged_chunk(cluster, tmp_path, damage):
    x, y = some_digits(30)
    files = write_all(tmp_path, x, y, 3)
    damage(files[1])
    with pytest.raises(ValueError, match="chunk_0002_of_0003.npz"):
        cluster_statistics(files, cluster.scheduler_address)


@pytest.mark.slow
def test_a_cluster_names_the_chunk_of_another_width(cluster, tmp_path):
    x, y = some_digits(30)
    files = write_all(tmp_path, x, y, 2)
    write_chunk(tmp_path, 2, 2, x[:, :700], y)
    with pytest.raises(ValueError, match="chunk_0002.*784.*700"):
        cluster_statistics(files, cluster.scheduler_address)
    files[1].unlink()
    with pytest.raises(FileNotFoundError, match="chunk_0002"):
        cluster_statistics(files, cluster.scheduler_address)


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_named(all_files, monkeypatch):
    monkeypatch.setattr("utils.chunks.PATIENCE", 1)
    for address in ["tcp://127.0.0.1:9", "no address"]:
        with pytest.raises(ConnectionError, match=address):
            cluster_statistics(all_files, address)
    with pytest.raises(ValueError, match="files is empty"):
        cluster_statistics([], "tcp://127.0.0.1:9")


@pytest.mark.slow
def test_a_cluster_without_workers_is_no_cluster(all_files):
    with LocalCluster(n_workers=0, dashboard_address=":0") as nobody:
        with pytest.raises(ValueError, match="no worker"):
            cluster_statistics(all_files, nobody.scheduler_address)

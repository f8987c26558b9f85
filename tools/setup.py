"""Make .venv with the pinned requirements and this project.

    python tools/setup.py

Any Python from 3.11 will do; an older one, from 3.6, can read this file, to
be told so. A finished set-up that still fits is left as it is. One that was
cut off, was moved, has lost its Python or has other requirements is made anew.
It is finished when the new Python, on its own, imports what the lessons need.
"""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
READY = VENV / ".ready"  # holds `stamp()` once all is installed
CHECK = """\
import distributed, ipywidgets, jupyterlab, matplotlib.pyplot, nbclient
import jupyterlite_core, myst_nb, nbconvert, nbval, nbgrader, numpy, PIL
import playwright, psutil, pytest, scipy, sklearn, sphinx
import utils.plotting
from importlib.util import find_spec
if find_spec("jax"):  # it has no build for Macs with an Intel processor
    import jax, keras
if find_spec("constriction"):  # it has none for Linux on ARM
    import constriction
"""
ELSEWHERE = {"prefix", "python", "root", "target", "user"}  # pip's settings


def stamp() -> str:
    """What a set-up depends on: this scheme, its place, the requirements."""
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    return f"2\n{VENV}\n{requirements}"


def is_ready() -> bool:
    """Whether a finished set-up fits, and its Python finds its packages."""
    try:
        return READY.read_text("utf-8") == stamp() and not run(
            PYTHON, "-Ic", "import pip", stderr=subprocess.DEVNULL
        )
    except OSError:
        return False


def run(*command, **options) -> int:
    """Exit code of a command, which sees nothing of PYTHONPATH and the like.

    `env` adds variables to those of this process.
    """
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    env.update(options.pop("env", {}))
    words = [str(word) for word in command]
    return subprocess.run(words, env=env, **options).returncode


def pip_settings() -> dict:
    """The user's settings of pip, but for those that install elsewhere.

    Returns
    -------
    dict
        Settings of files and of variables, as variables: PIP_INDEX_URL.
    """
    text = subprocess.check_output(
        [str(PYTHON), "-Im", "pip", "config", "list"], text=True
    )
    found = {}
    for wanted in ["global", "install", ":env:"]:  # the last one wins
        for line in text.splitlines():
            name, value = line.split("=", 1)
            section, key = name.rsplit(".", 1)
            if section == wanted and key not in ELSEWHERE:
                variable = "PIP_" + key.upper().replace("-", "_")
                found[variable] = ast.literal_eval(value)
    return found


def install(*what) -> str:
    """Install with uv if it is there, else or if it fails with pip.

    uv does not read the settings of pip (index, proxy, certificate): where
    there are any, it is pip that is asked. pip gets them as variables, and
    reads no file, since `pip` that builds a package reads what `pip` reads.

    Returns
    -------
    str
        What went wrong; empty if the new Python has all that is needed.
    """
    settings, uv = pip_settings(), shutil.which("uv")
    if uv and not settings:
        options = ["--quiet", "--compile-bytecode", "--python", PYTHON]
        failed = run(uv, "pip", "install", *options, *what)
        if not failed and not missing():
            return ""
    settings.update({f"PIP_{name.upper()}": "" for name in ELSEWHERE})
    settings["PIP_CONFIG_FILE"] = os.devnull
    options = ["--quiet", "--no-user", "--disable-pip-version-check"]
    if run(PYTHON, "-Im", "pip", "install", *options, *what, env=settings):
        return "pip failed"
    return missing()


def missing() -> str:
    """What the new Python, on its own, cannot import; empty if nothing."""
    done = subprocess.run(
        [str(PYTHON), "-Ic", CHECK],
        env={**os.environ, "KERAS_BACKEND": "jax", "MPLBACKEND": "agg"},
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = done.stderr.strip().splitlines() or ["Python died"]
    return lines[-1] if done.returncode else ""


def set_up() -> None:
    """Make .venv, install into it, and mark it as done at the very end."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        sys.exit(
            f"{sys.executable} cannot make virtual environments: it has no "
            f"module {error.name}. On Debian or Ubuntu: sudo apt install "
            "python{}.{}-venv".format(*sys.version_info)
        )
    if os.path.lexists(str(VENV)) and not VENV.is_dir():
        sys.exit(f"{VENV} must be a folder: delete it, and call again.")
    VENV.mkdir(exist_ok=True)
    READY.unlink(missing_ok=True)
    print("Installing 1.2 GB in .venv; it takes some minutes ...", flush=True)
    if run(sys.executable, "-Im", "venv", "--clear", VENV):
        sys.exit("Set-up stopped: see above. The next call starts it anew.")
    wrong = install(
        "--requirement", ROOT / "requirements.txt", "--editable", ROOT
    )
    if wrong:
        sys.exit(
            f"Set-up stopped: {wrong}; see above, and 'When set-up fails' in "
            "README.md. The next call starts it anew."
        )
    READY.write_text(stamp(), "utf-8")
    print(f"Set-up done: {PYTHON}")


if __name__ == "__main__":
    if sys.version_info < (3, 11):
        sys.exit(
            f"Python 3.11 or newer is needed; {sys.executable} is "
            f"{sys.version.split()[0]}. Install a newer one, or name it: "
            "make run PYTHON=/path/to/python3"
        )
    try:
        if not is_ready():
            set_up()
    except KeyboardInterrupt:
        sys.exit("Set-up stopped. The next call starts it anew.")
    except subprocess.CalledProcessError:
        sys.exit("Set-up stopped: pip cannot read its settings; see above.")
    except OSError as error:
        sys.exit(
            f"Set-up stopped: {error.strerror}: {error.filename}. Make it "
            "writable, or copy the project to where you may write."
        )

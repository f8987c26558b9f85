"""Make .venv with the pinned requirements and this project.

    python tools/setup.py

Any Python from 3.11 will do; an older one, from 3.6, can read this file, to
be told so. A finished set-up that still fits is left as it is. One that was
cut off, was moved, has lost its Python or has other requirements is made anew.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
READY = VENV / ".ready"  # holds `stamp()` once all is installed


def stamp() -> str:
    """What a set-up depends on: its place and the requirements."""
    requirements = (ROOT / "requirements.txt").read_text("utf-8")
    return f"{VENV}\n{requirements}"


def is_ready() -> bool:
    """Whether a finished set-up fits, and its Python finds its packages."""
    try:
        return READY.read_text("utf-8") == stamp() and not run(
            PYTHON, "-Ic", "import pip", stderr=subprocess.DEVNULL
        )
    except OSError:
        return False


def run(*command, **options) -> int:
    """Exit code of a command."""
    return subprocess.run([str(c) for c in command], **options).returncode


def install(*what) -> int:
    """Install with uv if it is there, else or if it fails with pip.

    uv does not read the settings of pip (index, proxy, certificate): where
    there are any, it is pip that is asked.
    """
    pip, uv = [PYTHON, "-Im", "pip"], shutil.which("uv")
    if uv and not subprocess.check_output([*map(str, pip), "config", "list"]):
        options = ["--quiet", "--compile-bytecode", "--python", PYTHON]
        if run(uv, "pip", "install", *options, *what) == 0:
            return 0
    return run(*pip, "install", "--quiet", "--no-user", *what)


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
    READY.unlink(missing_ok=True)
    print("Installing 1.2 GB in .venv; it takes some minutes ...", flush=True)
    failed = run(sys.executable, "-m", "venv", "--clear", VENV) or install(
        "--requirement", ROOT / "requirements.txt", "--editable", ROOT
    )
    if failed:
        sys.exit("Set-up stopped: see above. The next call starts it anew.")
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

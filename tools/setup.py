"""Set up .venv with the pinned requirements and this project.

    python tools/setup.py

Any Python from 3.11 will do. A finished set-up is left as it is; one that was
cut off is taken up again. Python 3.6 can read this file, to be told that it
is too old.
"""

import sys

if sys.version_info < (3, 11):
    sys.exit(
        f"Python 3.11 or newer is needed; {sys.executable} is "
        f"{sys.version.split()[0]}. Install a newer one, or name it: "
        "make run PYTHON=/path/to/python3"
    )

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def venv_python(root):
    """Path of the Python in .venv."""
    windows = os.name == "nt"
    file = "Scripts/python.exe" if windows else "bin/python"
    return root / ".venv" / file


def python_state(python):
    """Version and place of a Python as a line of text; '' if it is broken."""
    code = "import sys; print(sys.version_info >= (3, 11), sys.version)"
    try:
        done = subprocess.run(
            [python, "-ISc", code], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.stdout.startswith("True") else ""


def wanted_stamp(root):
    """What .venv/.ready holds when the set-up is done and still fits."""
    state = hashlib.sha256()
    for name in ["requirements.txt", "pyproject.toml"]:
        state.update((root / name).read_bytes())
    place = str(root / ".venv") + python_state(venv_python(root))
    state.update(place.encode())
    return state.hexdigest()


def is_ready(root):
    """Whether a finished set-up fits the requirements and this place."""
    try:
        stamp = (root / ".venv" / ".ready").read_text()
    except OSError:
        return False
    return stamp == wanted_stamp(root)


def site_packages(root):
    """Folder that the packages of .venv are in."""
    pattern = "Lib/site-packages" if os.name == "nt" else "lib/python3*/site-*"
    return next((root / ".venv").glob(pattern), root / ".venv" / "none")


def has_pip(root):
    """Whether .venv has a Python that works and a pip that is whole."""
    pip = site_packages(root).glob("pip-*.dist-info/INSTALLER")
    return bool(python_state(venv_python(root))) and any(pip)


def drop_half_installed(root):
    """Make pip forget packages that it was stopped amid installing.

    pip takes a package for installed from its METADATA on, but writes
    INSTALLER when all its files are there.
    """
    for info in site_packages(root).glob("*.dist-info"):
        if not (info / "INSTALLER").exists():
            shutil.rmtree(info)


def run(*command):
    """Run a command; stop with its exit code if it fails."""
    skip = {"PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME"}
    env = {k: v for k, v in os.environ.items() if k not in skip}
    code = subprocess.run([str(c) for c in command], env=env).returncode
    if code:
        sys.exit(
            f"Set-up stopped: the step above failed with code {code}. "
            "The next call goes on from here."
        )


def set_up(root):
    """Make .venv, install into it, and mark it as done at the very end."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        version = ".".join(sys.version.split(".")[:2])
        sys.exit(
            f"{sys.executable} cannot make virtual environments: it has no "
            f"module {error.name}. On Debian or Ubuntu: "
            f"sudo apt install python{version}-venv"
        )
    start, python = time.perf_counter(), venv_python(root)
    (root / ".venv" / ".ready").unlink(missing_ok=True)
    if not has_pip(root):
        print("Making .venv ...", flush=True)
        run(sys.executable, "-m", "venv", "--clear", root / ".venv")
    drop_half_installed(root)
    print("Installing 1.1 GB; it takes some minutes ...", flush=True)
    install = [python, "-m", "pip", "install", "--no-user", "--quiet"]
    run(*install, "--requirement", root / "requirements.txt")
    run(*install, "--no-deps", "--editable", root)
    (root / ".venv" / ".ready").write_text(wanted_stamp(root))
    print(f"Set-up done in {time.perf_counter() - start:.0f} s: {python}")


if __name__ == "__main__":
    try:
        if not is_ready(ROOT):
            set_up(ROOT)
    except KeyboardInterrupt:
        sys.exit("Set-up stopped. The next call goes on from here.")

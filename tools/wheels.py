"""Wheels of pure Python, made without a network of what is here.

The page of `tools.lite` installs them. The same files give the same bytes.
"""

import base64
import hashlib
import zipfile
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools.notebooks import ROOT
from tools.project import read_project

TAG = """\
Wheel-Version: 1.0
Generator: tools.wheels
Root-Is-Purelib: true
Tag: py3-none-any
"""
# pip's own notes, and compiled parts, which only make a library faster
LEFT_OUT = ["WHEEL", "RECORD", "INSTALLER", "REQUESTED", ".so", ".pyd"]


def write_utils(folder: Path) -> str:
    """Write `utils`, the digits included, as a wheel; its name."""
    version = read_project(ROOT)["tag"].removeprefix("v")
    files = {
        path.relative_to(ROOT).as_posix(): path.read_bytes()
        for path in (ROOT / "utils").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    about = f"Metadata-Version: 2.1\nName: utils\nVersion: {version}\n"
    info = f"utils-{version}.dist-info"
    return _write_wheel(folder, info, files | {f"{info}/METADATA": about})


def write_installed(folder: Path, name: str) -> str:
    """Write a library that is installed here as a wheel; its name."""
    files = {
        path.as_posix(): Path(str(path.locate())).read_bytes()
        for path in distribution(name).files or []
        if not path.as_posix().endswith(tuple(LEFT_OUT))
        and not {"..", "__pycache__"} & {*path.parts}
    }
    metadata = next(p for p in files if p.endswith(".dist-info/METADATA"))
    return _write_wheel(folder, metadata.removesuffix("/METADATA"), files)


def _write_wheel(folder, info, files):
    """Write files, by their paths, with what makes a wheel of them."""
    files = {**files, f"{info}/WHEEL": TAG}
    record = f"{info}/RECORD"
    wheel = folder / info.replace(".dist-info", "-py3-none-any.whl")
    lines = ""
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in sorted(files.items()):
            data = data.encode() if isinstance(data, str) else data
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
            code = digest.decode().rstrip("=")
            lines += f"{path},sha256={code},{len(data)}\n"
            _add(archive, path, data)
        _add(archive, record, f"{lines}{record},,\n")
    return wheel.name


def _add(archive, path, data):
    """Add a file of the year 1980, before which zip knows no time."""
    archive.writestr(zipfile.ZipInfo(path), data, zipfile.ZIP_DEFLATED)


def needed(
    names: list[str], platform: dict[str, str], present: set[str]
) -> list[str]:
    """Names of these libraries and of all that they need.

    Parameters
    ----------
    names : list of str
        Libraries that are installed here.
    platform : dict of str
        Where they are to run, in the words of their markers, for example
        ``{"sys_platform": "emscripten"}``.
    present : set of str
        What is there already, or not needed there.

    Returns
    -------
    list of str
        Sorted.
    """
    found: set[str] = set()
    todo = list(names)
    while todo:
        name: str = canonicalize_name(todo.pop())
        if name in found | present:
            continue
        found.add(name)
        for need in map(Requirement, distribution(name).requires or []):
            where = {"extra": "", **platform}
            if not need.marker or need.marker.evaluate(where):
                todo.append(need.name)
    return sorted(found)

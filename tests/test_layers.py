"""No import runs upwards: utils below tools, tools below tests."""

import ast
import re
from graphlib import TopologicalSorter

import pytest

from tools.notebooks import ROOT

HOUSE = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
LAYERS = [  # of utils, from the bottom up, as the table there has them
    re.findall(r"`utils\.(\w+)`", row)
    for row in reversed(re.findall(r"(?m)^\| (`utils\..*?) \|", HOUSE))
]


def imports_of(path, package):
    """Names of the modules of a package that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are written in full"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == package}


def module_of(name):
    """Name below utils of what is imported: utils.scores.judge.f -> ..."""
    parts = name.split(".")[1:]
    while parts and not is_module(parts):
        parts.pop()
    return ".".join(parts)


def is_module(parts):
    place = ROOT.joinpath("utils", *parts)
    return place.is_dir() or place.with_suffix(".py").is_file()


def imports_within_utils():
    """For each module of utils, the others that it imports."""
    graph = {}
    for path in (ROOT / "utils").rglob("*.py"):
        parts = path.relative_to(ROOT / "utils").with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        imported = {module_of(found) for found in imports_of(path, "utils")}
        graph[name] = imported - {name}
    return graph


def layer(module):
    """Number of a module's layer; the package itself is on top."""
    name = module.split(".")[0]
    found = [i for i, names in enumerate(LAYERS) if name in names]
    assert found or not name, f"utils.{name} is not in CONTRIBUTING's house"
    return found[0] if found else len(LAYERS)


@pytest.mark.parametrize(
    ("folder", "above"),
    [
        ("utils", ["tools", "tests", "benchmarks"]),
        ("tools", ["tests", "benchmarks"]),
        ("benchmarks", ["tests"]),
    ],
)
def test_no_folder_imports_from_above(folder, above):
    paths = list((ROOT / folder).rglob("*.py"))
    assert paths
    for path in paths:
        for package in above:
            assert not imports_of(path, package), path


def test_no_module_of_utils_imports_from_above():
    graph = imports_within_utils()
    assert len(graph) > 10 and any(graph.values())
    for module, imported in graph.items():
        higher = [name for name in imported if layer(name) > layer(module)]
        assert not higher, f"{module} imports {higher}"


def test_utils_imports_in_no_circle():
    TopologicalSorter(imports_within_utils()).prepare()

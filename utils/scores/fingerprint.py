"""Fingerprints of code: whether stored scores are of the code as it is."""

import ast
import hashlib
from collections.abc import Iterable
from pathlib import Path

__all__ = ["fingerprint"]

PACKAGE = Path(__file__).resolve().parents[1]
# They draw, print or refuse, and change no number.
SKIPPED = {"checks", "exercises", "plotting", "scores.board"}
TEXTS = {"meaning", "good", "head"}  # what a column says of itself


class _Bare(ast.NodeTransformer):
    """Drops docstrings, type hints and a column's words."""

    def visit_Expr(self, node):
        is_text = isinstance(node.value, ast.Constant)
        return ast.Pass() if is_text else self.generic_visit(node)

    def visit_arg(self, node):
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node):
        node.returns = None
        return self.generic_visit(node)

    def visit_Call(self, node):
        node.keywords = [k for k in node.keywords if k.arg not in TEXTS]
        return self.generic_visit(node)


def fingerprint(sources: Iterable[str]) -> str:
    """Digest of some code, and of all modules of utils that it imports.

    Comments, docstrings, type hints and layout do not count, nor do modules
    that change no number.

    Parameters
    ----------
    sources : iterable of str
        Texts of Python code, for example the cells of a lesson.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    SyntaxError
        If a source is no Python code.
    """
    trees = [ast.parse(source) for source in sources]
    modules: dict[str, ast.Module] = {}
    todo = [name for tree in trees for name in _imported(tree)]
    while todo:
        name = todo.pop()
        if name in modules or name in SKIPPED:
            continue
        modules[name] = ast.parse(_file(name).read_text("utf-8"))
        todo += _imported(modules[name])
    trees += [modules[name] for name in sorted(modules)]
    text = "\n".join(ast.dump(_Bare().visit(tree)) for tree in trees)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _imported(tree):
    """Names of the modules of utils that some code imports."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            names += [str(node.module), *parts]
    names = [n.removeprefix("utils.") for n in names if n.startswith("utils.")]
    return [name for name in names if _file(name).is_file()]


def _file(name):
    """File of a module or package of utils."""
    path = PACKAGE.joinpath(*name.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")

"""Formatting, lint and length of the code."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from rules import code_lines

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "utils").glob("*.py"))


@pytest.mark.parametrize("command", ["check", "format --check"])
def test_ruff(command):
    command = [sys.executable, "-m", "ruff", *command.split()]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_module_is_short(path):
    source = path.read_text("utf-8")
    assert code_lines(source) <= 200
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            lines = code_lines(ast.get_source_segment(source, node))
            assert lines <= 30, f"{node.name} has {lines} lines, at most 30"

"""The lessons keep the rules, and both the rules and nbval bite."""

import ast
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from rules import broken_link, code_lines, complaints

from tools.notebooks import (
    ROOT,
    code_cells,
    find_lessons,
    read,
    tagged,
    tags,
    write,
)
from tools.project import read_project

SAMPLE = ROOT / "notebooks" / "03_multivariate_normal.ipynb"  # the quickest


@pytest.mark.parametrize("path", find_lessons(), ids=lambda path: path.stem)
def test_lesson_keeps_the_rules(path):
    assert complaints(path) == []


def first(notebook, tag):
    """First cell with a tag."""
    return tagged(notebook, tag)[0]


def strip(notebook):
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None


def untag(notebook):
    for cell in [c for c in code_cells(notebook) if "set-up" not in tags(c)]:
        cell.metadata.pop("tags", None)


def add_equation(notebook):
    text = nbformat.v4.new_markdown_cell("So\n\n$$\na = b\n$$\n")
    notebook.cells.insert(-4, text)


def fail_check(notebook):
    cell = first(notebook, "check-formula")
    for out in cell.outputs:
        if "text" in out:
            out.text = out.text.replace("True", "False")


def swap_headings(notebook):
    for cell in notebook.cells:
        for a, b in [("Exercises", "-"), ("Check yourself", "Exercises")]:
            cell.source = cell.source.replace(f"## {a}", f"## {b}")


def set_source(tag, source):
    def spoil(notebook):
        first(notebook, tag).source = source

    return spoil


def add_output(**output):
    def spoil(notebook):
        out = nbformat.v4.new_output(**output)
        first(notebook, "nbval-check-output").outputs.append(out)

    return spoil


def replace(old, new):
    def spoil(notebook):
        assert any(re.search(old, cell.source) for cell in notebook.cells)
        for cell in notebook.cells:
            cell.source = re.sub(old, new, cell.source)

    return spoil


def append(text):
    def spoil(notebook):
        notebook.cells[2 if text.startswith("x =") else 1].source += text

    return spoil


def add_tag(tag, instead_of=None):
    def spoil(notebook):
        cell = first(notebook, "check-formula")
        kept = [t for t in cell.metadata["tags"] if t != instead_of]
        cell.metadata["tags"] = kept + ([] if instead_of else [tag])

    return spoil


def pad(source, n):
    def spoil(notebook):
        cells = [nbformat.v4.new_code_cell(source) for _ in range(n)]
        notebook.cells[-4:-4] = cells

    return spoil


def keep_code(notebook):
    notebook.cells = code_cells(notebook)


def move_set_up(notebook):
    cell = first(notebook, "set-up")
    notebook.cells.remove(cell)
    notebook.cells.append(cell)


def unfold(notebook):
    del first(notebook, "set-up").metadata["jupyter"]


def attach(notebook):
    notebook.cells[1].attachments = {"a.png": {"image/png": "QQ=="}}


def print_nothing(notebook):
    for out in first(notebook, "nbval-check-output").outputs:
        if "text" in out:
            out.text = " "


def set_alt(text):
    def spoil(notebook):
        for cell in code_cells(notebook):
            for out in cell.outputs:
                if "image/png" in out.get("data", {}):
                    out.metadata["image/png"] = {"alt": text}

    return spoil


def error_output():
    return add_output(
        output_type="error", ename="E", evalue="e", traceback=["e"]
    )


def data_output(kind):
    return add_output(output_type="display_data", data={kind: "{}"})


SPOILERS = {
    "stripped": (strip, "a tagged cell is not executed"),
    "stripped, counts": (strip, "execution counts are"),
    "tags lost": (untag, "0 cells tagged nbval-check-output"),
    "picture lost": (untag, "0 cells tagged picture"),
    "equation added": (add_equation, "an equation without a check: a = b"),
    "two equations": (append("\n$$a$$\n$$b$$"), "two equations in one"),
    "not compared": (add_tag("", "nbval-check-output"), "is not compared"),
    "title": (replace(r"# \d+\. ", "# "), "the title must start with"),
    "second title": (append("\n\n# Again"), "one heading of the first"),
    "question": (replace(r"\?\*", "*"), "must start with *a question?*"),
    "answers": (replace("<details>", "<p>"), "has 0 folded answers"),
    "bullets lost": (replace(r"(?m)^- ", "+ "), "What we learned must"),
    "exercises": (replace(r"\(exercises/", "(tasks/"), "do not lead to the"),
    "reading": (replace(r"\]\(https", "](ftp"), "has 0 links, not 3 to 5"),
    "few words": (keep_code, "words, at least 800"),
    "set-up late": (move_set_up, "must be the first code cell"),
    "tag": (add_tag("a-tag"), "unknown tag 'a-tag'"),
    "many cells": (pad("pass", 80), "cells, at most 80"),
    "many lines": (pad("x = 1\n" * 20, 15), "code lines, at most 240"),
    "nothing printed": (print_nothing, "a tagged cell prints nothing"),
    "top picture": (replace(r"\]\(pictures", "](p"), "does not show pic"),
    "check false": (fail_check, "a check does not print True"),
    "headings": (swap_headings, "the last headings must be"),
    "set-up": (set_source("set-up", "import os"), "one set-up cell"),
    "set-up long": (set_source("set-up", "x = 1\n" * 11), "more than ten"),
    "set-up unfolded": (unfold, "set-up cell is not folded"),
    "long cell": (set_source("picture", "x = 1\n" * 19), "19 code lines"),
    "long cells": (pad("x = 1\n" * 6, 90), "code lines in half of the"),
    "little prose": (pad("pass", 30), "of the cells are prose"),
    "guesses": (replace("Before you run it", "So"), "0 guesses are asked"),
    "guess alone": (
        replace("## Check yourself", "**Before you run it:** x?\n\n## C"),
        "no cell to run follows a guess",
    ),
    "skipped": (
        replace("## Check yourself", "## Going further\n\n## Check yourself"),
        "must start with 'You may skip'",
    ),
    "no alt": (set_alt(""), "0 words, not 8 to 60"),
    "filler": (set_alt("Figure " + "of a thing " * 4), "what kind of figure"),
    "same alt": (
        set_alt("The same few words for each of the figures here."),
        "two figures have one text",
    ),
    "wide": (set_source("picture", f"x = '{'x' * 80}'"), "wider than 79"),
    "defs": (set_source("picture", "def f(): pass\n" * 11), "functions and"),
    "error": (error_output(), "an error is stored"),
    "svg": (data_output("image/svg+xml"), "an output of image/svg+xml"),
    "widget": (
        data_output("application/vnd.jupyter.widget-view+json"),
        "an output of application/vnd.jupyter.widget",
    ),
    "stderr": (
        add_output(output_type="stream", name="stderr", text="warning"),
        "stderr is stored",
    ),
    "address": (
        add_output(output_type="stream", name="stdout", text="0x7f001122"),
        "prints an address",
    ),
    "label": (replace(r"\*\*You need\*\*", "You need"), "opening has the lab"),
    "badge": (replace("mybinder", "binder"), "has no badge of mybinder"),
    "link": (append(" [x](no_such_file.md)"), "leads nowhere: no_such_file"),
    "anchor": (append(" [x](#No-such-heading)"), "heading is not there"),
    "address form": (append(" [x](http://x)"), "not an address: http://x"),
    "alt": (append(" ![](notation.md)"), "has no text beside it"),
    "picture gone": (append(" ![x](a.png)"), "leads nowhere: a.png"),
    "attachment": (attach, "an attachment, which Colab hides"),
    "words": (append(" word" * 2300), "words, at most 2300"),
    "tone": (append(" It is just so."), "the prose says 'just'"),
    "bullet": (append("\n\n- x\n- x\n- x\n- x"), "bullets, not 3 to 5"),
}


@pytest.mark.parametrize("name", SPOILERS)
def test_rules_bite(name):
    spoil, complaint = SPOILERS[name]
    notebook = read(SAMPLE)
    spoil(notebook)
    found = complaints(SAMPLE, notebook)
    assert [line for line in found if complaint in line], found


def test_rules_on_the_notebook_as_a_whole():
    notebook = read(SAMPLE)
    notebook.metadata["widgets"] = {}
    notebook.cells[0].metadata["execution"] = {}
    notebook.cells[0].source += "x" * 1_000_000
    found = "\n".join(complaints(SAMPLE, notebook))
    for complaint in [
        "metadata are not those of make refresh",
        "cell metadata {'execution'}",
        "at most 1,000,000",
    ]:
        assert complaint in found


@pytest.mark.parametrize(
    "file",
    [
        "README.md",
        "CONTRIBUTING.md",
        "notebooks/notation.md",
        "notebooks/scoreboard.md",
    ],
)
def test_links_of_documents_resolve(file):
    path = ROOT / file
    targets = re.findall(r"\]\(([^)\s]*)[^)]*\)", path.read_text("utf-8"))
    home = read_project(ROOT)["url"]
    assert targets
    for target in targets:
        assert not list(broken_link(target, None, path, home))


def test_code_lines():
    source = '"""Doc\nstring."""\n\n# note\nx = """a\nb"""\ny = [\n    1,\n]\n'
    assert code_lines(source) == 5
    assert code_lines('def f():\n    """Doc."""\n    return 1\n') == 2


def change_a_number(notebook):
    """Change the first digit that is stored in the last tagged cell."""
    cell = tagged(notebook, "nbval-check-output")[-1]
    text = next(out for out in cell.outputs if "text" in out)
    other = re.sub(
        r"\d", lambda d: str((int(d[0]) + 1) % 10), text.text, count=1
    )
    assert other != text.text
    text.text = other


@pytest.mark.slow
def test_nbval_bites(tmp_path):
    """A changed number fails, and nothing else in the copy does."""
    shutil.copytree(ROOT / "utils", tmp_path / "utils")
    notebook = read(SAMPLE)
    checked = [
        i
        for i, c in enumerate(notebook.cells)
        if "nbval-check-output" in tags(c) and "True" not in str(c.outputs)
    ]
    notebook.cells = notebook.cells[: checked[0] + 1]
    write(notebook, tmp_path / "as_stored.ipynb")
    change_a_number(notebook)
    write(notebook, tmp_path / "changed.ipynb")
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "-q", "-rf"]
    command += ["--nbval-current-env", "--color=no", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, tmp_path], capture_output=True, text=True, cwd=tmp_path
    )
    last = f"Cell {len(code_cells(notebook)) - 1}"
    failed = re.findall(r"(?m)^FAILED (.*)$", done.stdout)
    assert len(failed) == 1, done.stdout + done.stderr
    assert failed[0].startswith(f"changed.ipynb::{last} ")
    assert "mismatch" in done.stdout
    passed = 2 * len(code_cells(notebook)) - 1
    assert f"1 failed, {passed} passed" in done.stdout


def test_a_name_of_the_notation_means_one_thing():
    """Each is used by a lesson, and none is what another package calls so."""
    text = (ROOT / "notebooks" / "notation.md").read_text("utf-8")
    table = text.split("## Symbols")[1].split("\n## ")[0]
    rows = [row.split("|")[2] for row in table.splitlines() if "|" in row]
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {"x", "mean", "cov", "z", "stats", "log_prob"} <= listed
    used, foreign = set(), {}
    for path in find_lessons():
        for cell in code_cells(read(path)):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Name):
                    used.add(node.id)
                if isinstance(node, ast.Attribute | ast.keyword):
                    used.add(getattr(node, "attr", None) or node.arg)
                module = getattr(node, "module", None) or ""
                if not module.startswith("utils"):
                    for alias in getattr(node, "names", []):
                        name = getattr(alias, "asname", None) or alias.name
                        if name in listed:
                            foreign[name] = path.name
    assert not foreign
    assert listed <= used, listed - used

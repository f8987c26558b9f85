"""tools.sync: what is stale is named and mended, on a project of its own."""

import base64
import re

import pytest
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from tools import scores, sync
from tools.notebooks import read, stored_figure, write
from utils.scores.board import read_scoreboard
from utils.scores.columns import ORDER
from utils.scores.judge import JUDGE_SHA256

PROJECT = """\
[project]
version = "1.2"
[project.urls]
Repository = "https://github.com/ada/digits"
"""
CITATION = "version: 0\nrepository-code: x\n"
MARKS = ["badges", "lessons", "scoreboard", "clone"]
FIGURE = base64.b64encode(b"a picture").decode()
ROWS = [
    {
        "lesson": 1,
        "model": model,
        "scores": {ORDER: [2.0, 0.1]},
        "samples": "",
        "machine": "mine",
        "judge": JUDGE_SHA256[:16],
    }
    for model in "ab"
]
TASKS = """\
**You need** about 20 minutes.

## 1. Change: the mean (2 points)
"""


def marked(*marks):
    """A document with places for what sync writes."""
    return "\n".join(f"<!-- {m} -->\n<!-- /{m} -->" for m in marks)


def new_lesson(number):
    """A lesson with all that sync reads or writes."""
    figure = new_output("display_data", data={"image/png": FIGURE})
    board = new_output(
        "display_data",
        data={"image/png": FIGURE, "text/plain": "a table"},
        metadata={"rows": ROWS},
    )
    code = {"set-up": [], "picture": [figure], "scoreboard": [board]}
    return new_notebook(
        cells=[
            new_markdown_cell(f"# {number}. Lesson"),
            new_markdown_cell("*Why?*\n"),
            *(
                new_code_cell("1", metadata={"tags": [tag]}, outputs=outputs)
                for tag, outputs in code.items()
            ),
            new_markdown_cell("## Exercises\n\n## Further reading\n"),
        ]
    )


def new_solution():
    """A solution with one task."""
    graded = {"nbgrader": {"points": 2}}
    return new_notebook(
        cells=[
            new_markdown_cell("# Exercises"),
            new_markdown_cell(TASKS),
            new_code_cell("1", metadata={"tags": ["set-up"]}),
            new_code_cell("2", metadata=graded),
        ]
    )


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A project of two lessons in which nothing is stale."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "CITATION.cff").write_text(CITATION)
    (tmp_path / "README.md").write_text(marked(*MARKS))
    (tmp_path / "TEACHING.md").write_text(marked("exercises"))
    (tmp_path / "utils" / "scores").mkdir(parents=True)
    (tmp_path / "notebooks" / "solutions").mkdir(parents=True)
    page = tmp_path / "notebooks" / "scoreboard.md"
    page.write_text(marked("scoreboard", "columns"))
    for number, name in enumerate(["01_one.ipynb", "02_two.ipynb"], start=1):
        lesson = new_lesson(number)
        scores.stamp_rows(name, lesson)
        write(lesson, tmp_path / "notebooks" / name)
        write(new_solution(), tmp_path / "notebooks" / "solutions" / name)
    monkeypatch.setattr(sync, "ROOT", tmp_path)
    monkeypatch.setattr(scores, "BRIEF", {"a"})
    assert sync.main([]) == 0
    assert sync.main(["--check"]) == 0
    return tmp_path


def contents(tree):
    return {p: p.read_bytes() for p in tree.rglob("*") if p.is_file()}


def test_nothing_is_stale_here(capsys):
    """In this project itself."""
    assert sync.main(["--check"]) == 0
    assert capsys.readouterr().out == ""
    assert scores.BRIEF <= {row.model for row in read_scoreboard()}


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("01_one.ipynb", r"mybinder\.org/v2/gh/", "mybinder.org/v2/gh/x"),
        ("01_one.ipynb", r"\[Contents\]", "[Content]"),
        ("01_one.ipynb", r"import sys", "import sys as s"),
        ("01_one.ipynb", r"about 20 minutes", "about an hour"),
        ("02_two.ipynb", r"\[← [^\]]*\]", "[← Before]"),
        ("solutions/02_two.ipynb", r"\[2\. Lesson\]", "[Lesson]"),
        ("01_one.png", "a picture", "another picture"),
        ("scoreboard.png", "a picture", "another picture"),
        ("rows.json", '"a"', '"c"'),
        ("README.md", r"(?m)^\| \[\d\. .*$", "| [1. Gone](x) | ? |"),
        ("README.md", r"\| a \|", "| c |"),
        ("scoreboard.md", r"\| b \|", "| c |"),
        ("scoreboard.md", r"what it says", "what it does not say"),
        ("README.md", r"git clone http", "git clone ssh"),
        ("TEACHING.md", r"the mean \| 2", "the mean | 3"),
        ("CITATION.cff", r"(?m)^version: ", "version: 9"),
    ],
)
def test_stale_file_is_named_and_mended(tree, capsys, file, old, new):
    before = contents(tree)
    path = next(tree.rglob(file))
    spoiled = re.sub(old, new, path.read_text("utf-8"), count=1)
    assert spoiled != path.read_text("utf-8")
    path.write_text(spoiled, "utf-8", newline="\n")
    capsys.readouterr()
    assert sync.main(["--check"]) == 1
    assert f"{path.relative_to(tree)}" in capsys.readouterr().out
    assert path.read_text("utf-8") == spoiled
    assert sync.main([]) == 0
    assert contents(tree) == before


def test_a_score_of_older_code_is_named_and_left(tree, capsys):
    path = tree / "notebooks" / "01_one.ipynb"
    notebook = read(path)
    notebook.cells[3].source = "x = 2"
    write(notebook, path)
    before = contents(tree)
    capsys.readouterr()
    assert sync.main(["--check"]) == 1
    assert "a: scored with another code" in capsys.readouterr().out
    assert sync.main([]) == 0
    assert contents(tree) == before


def test_one_line_changes_the_address_everywhere(tree):
    path = tree / "pyproject.toml"
    path.write_text(PROJECT.replace("ada/digits", "bob/numbers"))
    assert sync.main([]) == 0
    for path, content in contents(tree).items():
        assert b"ada/digits" not in content, path
        if path.suffix not in (".png", ".json") and path.name not in (
            "TEACHING.md",
            "scoreboard.md",
        ):
            assert b"github.com/bob/numbers" in content, path


def test_readme_has_the_short_table(tree):
    short = (tree / "README.md").read_text("utf-8")
    whole = (tree / "notebooks" / "scoreboard.md").read_text("utf-8")
    assert "| a |" in short and "| a |" in whole
    assert "| b |" not in short and "| b |" in whole


def test_pictures_are_the_stored_figures(tree):
    notebook = read(tree / "notebooks" / "01_one.ipynb")
    assert stored_figure(notebook, "picture") == b"a picture"
    assert stored_figure(notebook, "set-up") is None
    names = {path.name for path in (tree / "notebooks/pictures").iterdir()}
    assert names == {"01_one.png", "02_two.png"}


def test_a_document_without_marks_is_refused():
    with pytest.raises(ValueError, match="one pair of <!-- clone --> marks"):
        sync.replace_between_marks(marked("badges"), "clone", "x")


def scored(number, *rows, picture="QQ=="):
    """A notebook that shows a scoreboard of some rows."""
    output = new_output(
        "display_data",
        data={"image/png": picture, "text/plain": "table"},
        metadata={"rows": list(rows)},
    )
    tags = {"tags": ["scoreboard"]}
    cell = new_code_cell("1", metadata=tags, outputs=[output])
    notebook = new_notebook(cells=[new_markdown_cell("text"), cell])
    return {f"{number:02}_lesson.ipynb": notebook}


def test_each_lesson_gives_its_own_rows_and_the_last_one_the_picture():
    old, new = {"lesson": 6, "model": "a"}, {"lesson": 8, "model": "b"}
    stale = old | {"model": "stale"}
    notebooks = scored(6, old) | scored(8, stale, new, picture="Qg==")
    without = {"09_lesson.ipynb": new_notebook()}
    assert scores.boards(notebooks | without) == ([old, new], b"B")
    assert scores.boards(without) == ([], None)

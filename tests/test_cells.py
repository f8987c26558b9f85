"""tools.notebooks: what is written is read again, and cells are found."""

from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)

from tools import networks, notebooks
from utils import lessons


def cell(source, *tags):
    return new_code_cell(source, metadata={"tags": list(tags)})


NOTEBOOK = new_notebook(
    cells=[
        new_markdown_cell("# 1. Title\n\nbadges"),
        new_markdown_cell("*Why?*\n\n**You will make** é"),
        cell("0", "set-up"),
        new_markdown_cell("text"),
        cell("import numpy"),
        cell("SEED = 0", "model"),
        cell("1 + 1"),
        cell("def make_model(): ...", "model", "nbval-check-output"),
        cell("def train(model): ...", "model"),
    ]
)


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "01_title.ipynb"
    notebooks.write(NOTEBOOK, path)
    assert notebooks.read(path) == NOTEBOOK
    assert "é" in path.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [path]
    assert notebooks.title(NOTEBOOK) == "1. Title"
    assert notebooks.question(NOTEBOOK) == "Why?"


def test_notebooks_of_each_kind_are_found(tmp_path):
    for name in ["10_b", "02_a", "notes", "solutions/02_a", "exercises/02_a"]:
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        notebooks.write(NOTEBOOK, path)
    folder = tmp_path / "notebooks"
    lessons = [folder / "02_a.ipynb", folder / "10_b.ipynb"]
    assert notebooks.find_lessons(tmp_path) == lessons
    assert list(notebooks.read_lessons(tmp_path)) == [p.name for p in lessons]
    (solution,) = notebooks.find_solutions(tmp_path)
    assert solution == folder / "solutions" / "02_a.ipynb"
    student = folder / "exercises" / "02_a.ipynb"
    assert notebooks.student_version(solution) == student


def test_model_sources_are_imports_constants_and_the_cells_tagged_so(tmp_path):
    path = tmp_path / "01_title.ipynb"
    notebooks.write(NOTEBOOK, path)
    assert lessons.model_sources(path) == [
        "import numpy",
        "SEED = 0",
        "def make_model(): ...",
        "def train(model): ...",
    ]


def test_model_sources_of_a_lesson_define_its_network():
    for path in networks.find_networks():
        text = "\n".join(lessons.model_sources(path))
        for name in networks.CONTRACT:
            assert f"def {name}(" in text, path.name


def test_the_last_stored_figure_counts():
    notebook = new_notebook(cells=[cell("1", "picture"), cell("2", "picture")])
    assert notebooks.stored_figure(notebook, "picture") is None
    for one, data in zip(notebook.cells, ["QQ==", "Qg=="], strict=True):
        text = new_output("stream", text="1")
        figure = new_output("display_data", data={"image/png": data})
        one.outputs = [text, figure]
    assert notebooks.stored_figure(notebook, "picture") == b"B"


def test_each_lesson_has_a_solution_and_a_student_version():
    names = [path.name for path in notebooks.find_lessons()]
    solutions = notebooks.find_solutions()
    assert [path.name for path in solutions] == names
    for path in solutions:
        assert notebooks.student_version(path).exists(), path.name

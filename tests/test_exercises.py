"""Each exercise: the solution passes, blank and wrong answers get a hint."""

import contextlib
import io
import re
import tomllib

import matplotlib.pyplot as plt
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tools.exercises import student, student_files
from tools.notebooks import (
    ROOT,
    code_cells,
    find_solutions,
    read,
    student_version,
    tags,
)
from utils.exercises import Hint, check


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Small arrays: threads would only wait for each other."""
    with threadpool_limits(1):
        yield


def code(notebook):
    """Code cells but for the set-up."""
    return [c for c in code_cells(notebook) if "set-up" not in tags(c)]


def run(source, space, name):
    """Run a cell in a namespace; return what it printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, f"<{name}>", "exec"), space)
    return out.getvalue()


def exercises(path):
    """Run a solution notebook; list its exercises.

    Each is (grade id, blank answer, check, namespace before the answer), and
    the solution has passed its check.
    """
    notebook = read(path)
    blanks = code(student(notebook))
    space, found = {"__name__": "exercise"}, []
    for cell, blank in zip(code(notebook), blanks, strict=True):
        kind = cell.metadata.get("nbgrader", {})
        if kind.get("solution"):
            answer = kind["grade_id"], blank.source, dict(space)
        printed = run(cell.source, space, kind.get("grade_id", path.stem))
        if kind.get("grade"):
            grade_id, empty, before = answer
            assert kind["grade_id"] == f"{grade_id}-check"
            assert "right" in printed
            found.append((grade_id, empty, cell.source, before))
    plt.close("all")
    return found


@pytest.fixture(
    scope="module", params=find_solutions(), ids=lambda path: path.stem
)
def solved(request):
    """A solution notebook, and its exercises; one is held at a time."""
    return request.param, exercises(request.param)


def says(answer, check_source, before, name):
    """What the check says of an answer: a Hint's text, '' if it is right."""
    space = dict(before)
    with contextlib.suppress(Exception):  # the check tells of it
        run(answer, space, name)
    try:
        run(check_source, space, f"{name}-check")
    except Hint as hint:
        return str(hint)
    finally:
        plt.close("all")
    return ""


def wrong_answers(path):
    """Common wrong answers to the exercises of a notebook."""
    text = path.with_suffix(".toml").read_text("utf-8")
    return tomllib.loads(text)["wrong"]


def test_solutions_pass_and_the_rest_gets_a_hint(solved, record_property):
    path, found = solved
    wrong = wrong_answers(path)
    assert len(found) >= 3
    for grade_id, blank, check_source, before in found:
        assert re.search(
            "no code in|not defined", says(blank, check_source, before, "x")
        )
        mine = [w for w in wrong if w["exercise"] == grade_id]
        assert len(mine) >= 2, grade_id
        for answer in mine:
            hint = says(answer["code"], check_source, before, grade_id)
            assert answer["says"].lower() in hint.lower(), (answer, hint)
            assert hint, answer
        row = path.stem[:2], grade_id, "passes", "fails", f"{len(mine)} fail"
        record_property("exercise", row)
    assert {w["exercise"] for w in wrong} <= {e[0] for e in found}


def test_an_answer_of_another_kind_gets_a_hint(solved):
    """None, a text, NaN, another shape, an exception: never a traceback."""
    for grade_id, blank, check_source, before in solved[1]:
        names = re.findall(r"^def (\w+)|^(\w+) = ", blank, re.M)
        functions = [f for f, _ in names if f]
        for value in ["None", "'text'", "np.nan", "[[1], [2, 3]]", "1 / 0"]:
            answer = "import numpy as np\n" + "".join(
                f"def {f}(*_, **__):\n    return {value}\n" for f in functions
            )
            assert says(answer, check_source, before, grade_id), value


def test_student_versions_are_fresh():
    for path, content in student_files(ROOT):
        assert path.read_bytes() == content, path.name


def test_student_versions_hold_no_answer():
    for path in find_solutions():
        text = student_version(path).read_text("utf-8")
        for mark in ["BEGIN SOLUTION", "END SOLUTION", "HIDDEN TESTS"]:
            assert mark not in text
        hidden = "\n".join(c.source for c in code(read(path)))
        blocks = re.findall(
            r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END", hidden, re.S
        )
        assert len(blocks) >= 6
        for _, block in blocks:
            lines = [line.strip() for line in block.splitlines()]
            longest = max(lines, key=len)
            assert longest not in text, longest


# The check itself


def told(answer, wanted=((1.0, 2.0), (3.0, 4.0)), **options):
    """What `check` says."""
    with pytest.raises(Hint) as caught:
        check("cov", answer, wanted, **options)
    return str(caught.value)


def test_a_right_answer_is_told(capsys):
    check("cov", lambda: [[1, 2], [3, 4]], [[1.0, 2], [3, 4]])
    check("same", lambda: np.eye(2), np.eye(2))
    check("word", lambda: " PCA", "pca")
    check("yes", lambda: np.True_, True)
    assert capsys.readouterr().out.count("right") == 4


def fails():
    return {}["gone"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: None, "cov is None. Is it still to be set"),
        (lambda: ..., "cov is Ellipsis"),
        (lambda: "text", "must be made of numbers, got str"),
        (lambda: [[1], [2, 3]], "must be made of numbers, got list"),
        (lambda: {"a": 1}, "must be made of numbers, got dict"),
        (lambda: np.array([1j, 2]), "numbers, got ndarray of complex128"),
        (lambda: (np.eye(2), 1), "tuple of 2. .* too much"),
        (lambda: [[1, 3], [2, 4]], "rows and columns swapped"),
        (lambda: [1.0, 2.0], r"shape \(2, 2\), got \(2,\)"),
        (lambda: np.full((2, 2), np.nan), "cov is NaN in 4 of 4 numbers"),
        (lambda: [[1, 2], [3, np.inf]], "cov is infinite in 1 of 4"),
        (lambda: [[1, 2], [3, 5]], r"wrong in 1 of 4 .* \[1, 1\]: 5"),
        (lambda: not_there, "not_there.* Run the cells above"),  # noqa: F821
        (fails, "stops with KeyError: 'gone' .*return {}"),
        (exit, "stops with SystemExit"),
    ],
)
def test_a_wrong_answer_is_named(answer, message):
    assert re.search(message, told(answer))


def test_a_blank_answer_is_named():
    def blank():
        raise NotImplementedError

    assert "no code in" in told(blank)


def test_a_common_slip_gets_its_hint():
    hints = {"did you divide by n - 1?": [[2.0, 2], [3, 4]], "axis?": [1, 2]}
    assert "n - 1" in told(lambda: [[2, 2], [3, 4]], hints=hints)
    assert "axis" in told(lambda: [1, 2], hints=hints)
    assert "wrong" in told(lambda: [[7, 2], [3, 4]], hints=hints)
    assert "sd?" in told(lambda: "b", "a", hints={"sd?": "b"})


def test_a_notebook_shows_one_line():
    assert Hint("so")._render_traceback_() == ["Not yet. so"]

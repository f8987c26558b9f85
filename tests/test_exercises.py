"""Each exercise: the solution passes, blank and wrong answers get a hint."""

import contextlib
import io
import linecache
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
    lines = source.splitlines(keepends=True)  # as IPython does, for hints
    linecache.cache[f"<{name}>"] = len(source), None, lines, f"<{name}>"
    with contextlib.redirect_stdout(out):
        exec(compile(source, f"<{name}>", "exec"), space)
    return out.getvalue()


def exercises(path):
    """Run a solution notebook; list its exercises.

    Each is (grade id, blank answer, check, namespace before the answer,
    cells that use the answer), and the solution has passed its check.
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
            found.append((grade_id, empty, cell.source, before, []))
        elif found and not kind.get("solution"):
            found[-1][-1].append(cell.source)
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


def answers(path, kind):
    """The wrong or the other right answers kept beside a notebook."""
    text = path.with_suffix(".toml").read_text("utf-8")
    return tomllib.loads(text)[kind]


@pytest.mark.slow
def test_solutions_pass_and_the_rest_gets_a_hint(solved, record_property):
    path, found = solved
    wrong = answers(path, "wrong")
    assert len(found) >= 3
    for grade_id, blank, check_source, before, _ in found:
        assert re.search(
            "no code in|is None", says(blank, check_source, before, "x")
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


@pytest.mark.slow
def test_right_answers_of_another_style_pass(solved):
    """And where they say `then`, the cells that use them run, too."""
    path, found = solved
    right = answers(path, "right")
    for grade_id, _, check_source, before, uses in found:
        mine = [r for r in right if r["exercise"] == grade_id]
        assert len(mine) >= 3, grade_id
        assert any(r.get("then") for r in mine) or not uses, grade_id
        for answer in mine:
            space, name = dict(before), f"{grade_id}: {answer['why']}"
            run(answer["code"], space, name)
            run(check_source, space, f"{name}, check")
            for source in uses if answer.get("then") else []:
                run(source, space, f"{name}, use")
            plt.close("all")
    assert {r["exercise"] for r in right} <= {e[0] for e in found}


@pytest.mark.slow
def test_an_answer_of_another_kind_gets_a_hint(solved):
    """None, a text, NaN, another shape, an exception: never a traceback."""
    junk = "None 'text' np.nan [[1],[2,3]] 1/0 1j not_there ((1,),2)".split()
    for grade_id, blank, check_source, before, _ in solved[1]:
        names = re.findall(r"^def (\w+)|^(\w+) = ", blank, re.M)
        functions = [f for f, _ in names if f]
        for value in junk:
            answer = "import numpy as np\n" + "".join(
                f"def {f}(*_, **__):\n    return {value}\n" for f in functions
            )
            hint = says(answer, check_source, before, grade_id)
            assert hint, value
            if value == "not_there" and functions:
                assert "return not_there" in hint, hint


def test_hidden_tests_import_check_afresh():
    """Else an answer cell that defines a check of its own gets all points."""
    line = "from utils.exercises import check"
    for path in find_solutions():
        for cell in code(read(path)):
            for block in re.findall(
                r"### BEGIN HIDDEN TESTS\n(.*?)### END", cell.source, re.S
            ):
                assert block.strip().startswith(line), (path.name, block[:60])


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
    check("yes", lambda: np.True_, True)
    check("in float32", lambda: np.float32([1e4, 1e-3]), [1e4, 1e-3])
    check("rounding at 0", lambda: np.array([1e-4, 3e3]), [0, 3e3])
    assert capsys.readouterr().out.count("right") == 5


def test_an_answer_gets_copies():
    x, rng = np.ones(3), np.random.default_rng(0)

    def doubled(x, rng):
        x *= 2
        return x + rng.random(3)

    wanted = 2 + np.random.default_rng(0).random(3)
    for _ in range(2):
        check("doubled", doubled, wanted, given=(x, rng))
    assert (x == 1).all()
    said = told(doubled, wanted, given=(x, rng), unchanged=True)
    assert "changes what it is given" in said
    check("kept", lambda x: 2 * x, x * 2, given=(x,), unchanged=True)


def test_one_of_several_values():
    check("cov", lambda: (1, [2, 3]), [2, 3], part=(1, 2))
    assert "2 values are asked for, got 3" in told(
        lambda: (1, 2, 3), 1, part=(0, 2)
    )
    assert "got float" in told(lambda: 1.0, 1, part=(0, 2))
    assert "got ndarray" in told(lambda: np.array(1.0), 1, part=(0, 2))
    assert "cov is None" in told(lambda: (None, 2), 1, part=(0, 2))


def fails():
    return {}["gone"]


def misspelt():
    return not_there  # noqa: F821


def written():
    total = 1.0
    raise NotImplementedError()
    return total


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda: None, "cov is None. Is it still to be set"),
        (lambda: ..., "cov is Ellipsis"),
        (lambda: "text", "must be made of numbers, got str"),
        (lambda: [[1], [2, 3]], "must be made of numbers, got list"),
        (lambda: {"a": 1}, "must be made of numbers, got dict"),
        (lambda: np.array([1j, 2]), "complex ones. .*below 0"),
        (lambda: (np.eye(2), 1, 2), "tuple of 3. .* too much"),
        (lambda: [[1, 3], [2, 4]], "rows and columns swapped"),
        (lambda: [1.0, 2.0], r"shape \(2, 2\), got \(2,\)"),
        (lambda: np.full((2, 2), np.nan), "cov is NaN in 4 of 4 numbers"),
        (lambda: [[1, 2], [3, np.inf]], "cov is infinite in 1 of 4"),
        (lambda: [[1, 2], [3, 5]], r"wrong in 1 of 4 .* \[1, 1\]: 5\.$"),
        (lambda: [[1, 2], [3, 4.004]], "4.004, which is right to 3 digits"),
        (lambda: not_there, "not_there.* Run the cells above"),  # noqa: F821
        (misspelt, "not_there.*line .*return not_there.*misspelled"),
        (fails, "stops with KeyError: 'gone' .*return {}"),
        (exit, "stops with SystemExit"),
        (written, "take out the line raise"),
    ],
)
def test_a_wrong_answer_is_named(answer, message):
    assert re.search(message, told(answer))


def test_the_shape_of_a_part_is_named():
    said = told(lambda: (np.eye(1), 2.0), [1, 2])
    assert "tuple of 2, with shapes (1, 1) in it" in said


def test_a_blank_answer_is_named():
    def blank(x):
        """What it returns."""
        raise NotImplementedError()

    assert "no code in" in told(blank, given=(1,))


def test_a_common_slip_gets_its_hint():
    hints = {"did you divide by n - 1?": [[2.0, 2], [3, 4]], "axis?": [1, 2]}
    assert "n - 1" in told(lambda: [[2, 2], [3, 4]], hints=hints)
    assert "axis" in told(lambda: [1, 2], hints=hints)
    assert "wrong" in told(lambda: [[7, 2], [3, 4]], hints=hints)


def test_a_notebook_shows_one_line():
    assert Hint("so")._render_traceback_() == ["Not yet. so"]

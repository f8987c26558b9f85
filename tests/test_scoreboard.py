"""The scoreboard shows each row whole, and stores what lessons print."""

import copy
import json
import re
from dataclasses import asdict, fields, replace
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest

from tools.notebooks import ROOT, read_lessons, tagged
from tools.scores import scoreboard_tables, stale_rows
from tools.sync import replace_between_marks
from utils.data import to_images
from utils.scores import board
from utils.scores.board import (
    Row,
    Scoreboard,
    explain_columns,
    heads,
    pack,
    pool_trainings,
    read_scoreboard,
    read_seeds,
    unpack,
)
from utils.scores.columns import COLUMNS, Column

LESSONS = {int(name[:2]): lesson for name, lesson in read_lessons().items()}
SHADES = np.linspace(0, 1, 7840).reshape(10, 784)
FOUR = np.repeat(SHADES, 4, axis=0)  # as a row keeps four of each digit


SCORES = dict(
    parameters=3_085_040,
    bits=4.9512,
    nats=206.04,
    shapes=(3.456, 0.0789),
    precision=(0.4732, 0.0111),
    recall=(0.0664, 0.0022),
    consistency=(0.8988, 0.0033),
    bayes=0.9571,
    tone=(1.2346, 0.0071),
    copies=(0.7094, 0.0123),
    fit_s=1.26,
    sample_s=0.01234,
)
TEXTS = dict(
    parameters="3,085,040",
    bits="4.95",
    nats="206.0",
    shapes="3.46 ± 0.08",
    precision="0.47 ± 0.01",
    recall="0.07 ± 0.00",
    consistency="0.899 ± 0.003",
    bayes="0.957",
    tone="1.2 ± 0.0",
    copies="0.71 ± 0.01",
    fit_s="1.3",
    sample_s="0.012",
)


def make_row(bound=False, model="a model", lesson=6, samples=None, **scores):
    """A row with each score, or some changed."""
    return Row(
        model=model,
        lesson=lesson,
        scores=SCORES | scores,
        samples=samples or pack(FOUR),
        machine="a processor, 2 cores",
        judge="a judge",
        code="some code",
        bound=bound,
    )


def texts(row):
    """Texts of a row, by the names of their columns."""
    columns = [c for c in COLUMNS if not c.seconds]
    columns += [c for c in COLUMNS if c.seconds]
    lines = row.texts() + row.texts(seconds=True)
    return {c.name: t for c, t in zip(columns, lines, strict=True)}


NAMES = ["parameters", "bits", "nats", "bayes", "consistency", "fit_s"]
BARE = dict.fromkeys(NAMES)


# One row


def test_a_row_writes_its_scores():
    assert texts(make_row()) == {"model": "a model", "lesson": "6"} | TEXTS


def test_a_bound_is_named_a_bound():
    exact, bound = texts(make_row()), texts(make_row(bound=True))
    changed = {exact[n]: bound[n] for n in exact if exact[n] != bound[n]}
    assert changed == {"4.95": "≤ 4.95", "206.0": "≤ 206.0"}


@pytest.mark.parametrize("bound", [False, True])
def test_what_a_model_has_not_is_a_dash(bound):
    found = texts(make_row(**BARE, bound=bound))
    assert {name for name in found if found[name] == "–"} == set(BARE)


def test_a_row_stored_before_a_score_was_there_has_a_dash():
    row = make_row()
    del row.scores["recall"]
    assert texts(row)["recall"] == "–"


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ({"bits": np.nan}, r"scores\['bits'\] must be .* got nan"),
        ({"bits": "low"}, r"scores\['bits'\] must be .* got 'low'"),
        ({"bayes": (1, 2, 3)}, r"scores\['bayes'\] must .* \(1, 2, 3\)"),
        ({"fit_s": (1, np.inf)}, r"scores\['fit_s'\] must .* \(1, inf\)"),
        ({"shapes": (np.nan, 1)}, r"scores\['shapes'\] must be a pair"),
        ({"shapes": 3.0}, r"scores\['shapes'\] must be a pair .* got 3.0"),
    ],
)
def test_a_score_that_is_no_number_is_refused(scores, message):
    with pytest.raises(ValueError, match=message):
        make_row(**scores)


def test_zero_is_not_a_dash():
    found = texts(make_row(parameters=0, bits=0.0, nats=0, bayes=0.0, fit_s=0))
    wanted = ["0", "0.00", "0.0", "0.000", "< 0.01"]
    assert [found[n] for n in NAMES if n != "consistency"] == wanted
    fits = [texts(make_row(fit_s=s)) for s in (0.01, 9.94, 9.96, 148.2)]
    assert [f["fit_s"] for f in fits] == ["0.01", "9.9", "10", "148"]


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        ((0.974, 0.016), "0.97 ± 0.02"),
        ((9.99, 0.1), "9.99 ± 0.10"),
        ((10, 0.1), "10.0 ± 0.1"),
        ((157.838, 0.2), "157.8 ± 0.2"),
    ],
)
def test_large_distances_have_one_decimal(shapes, text):
    assert texts(make_row(shapes=shapes))["shapes"] == text


def test_a_new_score_is_one_entry(monkeypatch):
    """Table, Markdown and README's explanation follow from the list."""
    new = Column(
        name="ink", head="ink, %", form=".1f", meaning="how black", good="13"
    )
    at = [column.name for column in COLUMNS].index("recall")
    monkeypatch.setattr(board, "COLUMNS", [*COLUMNS[:at], new, *COLUMNS[at:]])
    shown = Scoreboard([make_row(ink=(12.34, 0.56)), make_row(model="old")])
    lines = cells(str(shown))
    place = lines[0].index("ink, %")
    assert lines[0][place + 1] == "recall"
    assert [line[place] for line in lines[1:]] == ["12.3 ± 0.6", "–"]
    assert "| ink, % |" in shown.markdown()
    assert "| ink, % |" not in shown.markdown(brief=True)
    assert "| ink, % | how black | 13 |" in explain_columns()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pack_keeps_256_levels_of_ten_pictures(dtype):
    x = np.random.default_rng(0).random((10, 784)).astype(dtype)
    text = pack(x)
    assert json.loads(json.dumps(text)) == text
    wanted = to_images(x).reshape(10, 784) / 255
    np.testing.assert_array_equal(unpack(text), wanted)
    np.testing.assert_allclose(unpack(text), x, atol=0.5 / 255 + 1e-6)


@pytest.mark.parametrize("row", [make_row(), make_row(**BARE, bound=True)])
def test_a_row_survives_json(row):
    _, metadata = Scoreboard([row])._repr_mimebundle_()
    (stored,) = json.loads(json.dumps(metadata))["rows"]
    assert Row.from_json(stored) == row
    assert type(Row.from_json(stored).scores["shapes"]) is tuple


# Several trainings of a network


@pytest.fixture
def trainings(tmp_path, monkeypatch):
    """A row, and others in a store of their own: two seeds, and a half."""
    path = tmp_path / "seeds.json"
    monkeypatch.setattr(board, "SEEDS", path)
    row = make_row(model="net", shapes=(3.0, 0.3), copies=None, bits=1)
    others = [
        replace(row, model=f"net{name}", scores=row.scores | scores)
        for name, scores in [
            (", seed 1", {"shapes": (5.0, 0.4), "bits": 2}),
            (", seed 2", {"shapes": (7.0, 0.5), "bits": 3}),
            (", half", {"shapes": (99.0, 9.0), "copies": (0.6, 0.01)}),
            ("work, seed 1", {"shapes": (99.0, 9.0)}),
        ]
    ]
    others.append(replace(others[0], lesson=7))
    path.write_text(json.dumps([asdict(r) for r in others]), "utf-8")
    return row, others


def test_pooled_trainings_hold_both_kinds_of_spread(trainings):
    row, _ = trainings
    pooled = pool_trainings(row)
    within, between = (0.09 + 0.16 + 0.25) / 3, 4  # of 3, 5 and 7
    np.testing.assert_allclose(
        pooled.scores["shapes"], [5, np.sqrt(within + between)]
    )
    assert all(type(value) is float for value in pooled.scores["shapes"])
    np.testing.assert_allclose(
        pooled.scores["recall"], SCORES["recall"], rtol=1e-9
    )
    assert pooled.scores["copies"] == (0.6, 0.01)  # of the half
    assert pooled.scores["bits"] == 1  # of the lesson
    assert replace(pooled, scores=row.scores) == row
    assert row.scores["shapes"] == (3, 0.3) and row.scores["copies"] is None


def test_a_network_trained_once_keeps_its_row(trainings):
    row, _ = trainings
    alone = replace(row, lesson=9)
    pooled = pool_trainings(replace(alone, scores=row.scores | BARE))
    for name, value in (row.scores | BARE).items():
        assert (value is None) == (pooled.scores[name] is None)
        if value is not None:
            np.testing.assert_allclose(pooled.scores[name], value)


# The table

ROWS = [
    make_row(model="fair", shapes=(2.0, 0.1), **BARE),
    make_row(model="worst", shapes=(10.0, 0.1), bound=True),
    make_row(model="best", shapes=(0.9, 0.001)),
    make_row(model="tied", shapes=(2.0, 0.3)),
]
ORDER = ["worst", "fair", "tied", "best"]
HEAD = [column.head for column in COLUMNS if not column.seconds]


def cells(text):
    """Cells of a text in aligned columns."""
    return [re.split(r" {2,}", line) for line in text.splitlines()]


class Table(HTMLParser):
    """Collects the kinds and the texts of a table's cells."""

    def __init__(self, html):
        super().__init__()
        self.lines, self.kinds = [], set()
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.kinds.add(tag)
        if tag == "tr":
            self.lines.append([])
        if tag in ("th", "td"):
            self.lines[-1].append("")

    def handle_data(self, data):
        if data.strip():
            self.lines[-1][-1] += data


def test_rows_stand_from_worst_to_best():
    given = list(ROWS)
    shown = Scoreboard(given)
    assert [row.model for row in shown.rows] == ORDER
    assert given == ROWS  # the list that was given keeps its order


def test_a_row_without_the_score_that_sorts_stands_first():
    unknown = make_row(model="unknown", shapes=None)
    shown = Scoreboard([*ROWS, unknown])
    assert [row.model for row in shown.rows] == ["unknown", *ORDER]


def test_what_is_no_row_is_refused():
    with pytest.raises(ValueError, match="rows must hold a Row .* got dict"):
        Scoreboard([asdict(ROWS[0])])


def test_text_and_html_show_the_same_scores():
    shown = Scoreboard(ROWS)
    data, metadata = shown._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html"}
    text = cells(data["text/plain"])
    assert text == [HEAD, *[row.texts() for row in shown.rows]]
    table = Table(data["text/html"])
    assert table.lines == text
    assert table.kinds == {"table", "tr", "th", "td"}
    assert data["text/html"].count("<th>") == len(HEAD)
    assert str(shown) == data["text/plain"]
    assert metadata == {"rows": [asdict(row) for row in shown.rows]}


def test_a_table_stores_the_rows_of_its_own_lesson_only():
    later = make_row(model="later", lesson=7)
    _, metadata = Scoreboard([*ROWS, later])._repr_mimebundle_()
    assert metadata == {"rows": [asdict(later)]}


def test_columns_are_aligned():
    lines = str(Scoreboard(ROWS)).splitlines()
    for title, text in [
        ("lesson", "6"),
        ("shapes", "10.0"),
        ("nats", "≤ 206"),
    ]:
        assert lines[0].index(title) == lines[1].index(text)


def test_html_is_escaped():
    name = '<b>a & "b"</b>'
    data, _ = Scoreboard([make_row(model=name)])._repr_mimebundle_()
    assert "<b>" not in data["text/html"]
    table = Table(data["text/html"])
    assert table.lines[1][0] == name and "b" not in table.kinds


def test_seconds_stand_apart_with_their_machine():
    lines = cells(Scoreboard(ROWS).seconds)
    assert lines[0] == ["model", *heads(seconds=True), "measured on"]
    assert lines[2] == ["fair", "–", "0.012", "a processor, 2 cores"]
    assert lines[4] == ["best", "1.3", "0.012", "a processor, 2 cores"]
    assert "0.012" not in str(Scoreboard(ROWS))


def test_markdown_holds_scores_seconds_and_machines():
    names = ["D", "A", "C", "B"]
    shown = Scoreboard(
        [replace(r, machine=n) for r, n in zip(ROWS, names, strict=True)]
    )
    *lines, blank, note = shown.markdown().splitlines()
    lines = [line.strip("|").split("|") for line in lines]
    lines = [[text.strip() for text in line] for line in lines]
    assert lines[0] == HEAD + heads(seconds=True)
    assert lines[1] == ["---"] * len(COLUMNS)
    assert lines[2:] == [list(texts(row).values()) for row in shown.rows]
    assert blank == ""
    assert note.endswith(" measured on: A, B, C, D.")


def test_the_brief_table_has_fewer_columns_and_no_seconds():
    shown = Scoreboard(ROWS)
    brief = [c for c in COLUMNS if c.brief]
    assert 3 < len(brief) < len(COLUMNS)
    assert not any(c.seconds for c in brief)
    lines = shown.markdown(brief=True).splitlines()
    assert lines[0] == f"| {' | '.join(c.head for c in brief)} |"
    for line, row in zip(lines[2:], shown.rows, strict=True):
        assert line == f"| {' | '.join(row.text(c) for c in brief)} |"


def test_an_empty_scoreboard_shows_its_head():
    assert cells(str(Scoreboard([]))) == [HEAD]
    assert len(cells(Scoreboard([]).seconds)) == 1


def test_the_picture_has_a_column_for_each_row():
    shades = [0.0, 0.2, 0.4, 0.6]
    rows = [
        replace(row, samples=pack(np.full((40, 784), shade)))
        for row, shade in zip(ROWS, shades, strict=True)
    ]
    rows[0] = replace(rows[0], samples=pack(FOUR))
    Scoreboard(rows).draw(width=4)
    (ax,) = plt.gcf().axes
    mosaic = np.asarray(ax.images[0].get_array())
    assert plt.gcf().get_size_inches()[0] == 4
    plt.close()
    assert mosaic.shape == (10 * 30 - 2, 4 * 30 - 2)
    for column, wanted in enumerate([0.2, None, 0.6, 0.4]):
        strip = mosaic[:, 30 * column : 30 * column + 28]
        for i in range(10):
            tile = strip[30 * i : 30 * i + 28].ravel()
            shade = SHADES[i] if wanted is None else wanted
            np.testing.assert_allclose(tile, shade, atol=0.5 / 255 + 1e-6)
    texts = [text.get_text() for text in ax.texts]
    texts += [label.get_text() for label in ax.get_xticklabels()]
    assert [text for text in texts if text in ORDER] == ORDER


def test_long_names_are_wrapped_and_kept_whole():
    name = "class Gaussians, ridge 1e-5"
    Scoreboard([make_row(model=name), *ROWS]).draw()
    texts = [text.get_text() for text in plt.gca().texts]
    texts += [label.get_text() for label in plt.gca().get_xticklabels()]
    plt.close()
    (text,) = (text for text in texts if "ridge" in text)
    assert text.split() == name.split()
    assert max(map(len, text.split("\n"))) <= 11


# The file


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store of its own."""
    path = tmp_path / "rows.json"
    monkeypatch.setattr(board, "ROWS", path)
    return path


def test_rows_of_earlier_lessons_are_read(store):
    rows = [make_row(lesson=n, model=str(n)) for n in (6, 8, 7, 10)]
    store.write_text(json.dumps([asdict(row) for row in rows]), "utf-8")
    assert read_scoreboard() == rows
    assert read_scoreboard(before=8) == [rows[0], rows[2]]
    assert read_scoreboard(before=6) == []
    assert read_scoreboard(before=0) == []


def test_a_later_row_of_another_form_is_no_hindrance(store):
    """So that lesson 6 can be refreshed after the form has changed."""
    rows = [asdict(make_row()), {"model": "of old", "lesson": 8}]
    store.write_text(json.dumps(rows), "utf-8")
    assert read_scoreboard(before=8) == [make_row()]
    with pytest.raises(ValueError, match="is damaged"):
        read_scoreboard()


def without(key):
    return {k: v for k, v in asdict(make_row()).items() if k != key}


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"[",
        b"[{}]",
        b"[5]",
        b"7",
        b"null",
        b'{"rows": []}',
        b"\xff\xfe",
        json.dumps([without("lesson")]).encode(),
        json.dumps([asdict(make_row()) | {"colour": 1}]).encode(),
    ],
)
def test_a_damaged_store_is_named(damage, store):
    store.write_bytes(damage)
    with pytest.raises(ValueError, match=" is damaged: .") as error:
        read_scoreboard()
    assert str(error.value).startswith(str(store))


def test_reading_changes_nothing():
    before = board.ROWS.read_bytes()
    assert len(read_scoreboard()) == len(json.loads(before))
    assert {row.lesson for row in read_seeds(11)} == {11}
    assert board.ROWS.read_bytes() == before


# The stored rows are those that the lessons show


def boards(lesson):
    """Outputs of the cells tagged scoreboard that show a table."""
    return [
        out
        for cell in tagged(lesson, "scoreboard")
        for out in cell.outputs
        if "text/html" in out.get("data", {})
    ]


def complaints(rows, lessons):
    """Where the stored rows differ from what the lessons show."""
    for row in rows:
        if row.lesson not in lessons:
            yield f"{row.model}: there is no lesson {row.lesson}"
    for number, lesson in lessons.items():
        own = [row for row in rows if row.lesson == number]
        if tagged(lesson, "scoreboard") and not own:
            yield f"lesson {number} has a scoreboard, and no row is stored"
        known = [row.texts() for row in rows if row.lesson <= number]
        tables = [cells(out.data["text/plain"])[1:] for out in boards(lesson)]
        shown = [line for table in tables for line in table]
        for line in shown:
            if line not in known:
                yield f"lesson {number} shows a row not stored: {line}"
        held = [
            Row.from_json(row)
            for out in boards(lesson)
            for row in out.metadata.get("rows", [])
        ]
        for row in own:
            if row.texts() not in shown:
                yield f"lesson {number} does not show {row.texts()}"
            if row not in held:
                yield f"lesson {number} does not hold {row.model}"


def test_the_stored_rows_are_those_of_the_lessons():
    assert list(complaints(read_scoreboard(), LESSONS)) == []


def test_the_readme_and_the_page_show_the_stored_rows():
    brief, whole = scoreboard_tables([asdict(r) for r in read_scoreboard()])
    for path, marks in {
        "README.md": {"scoreboard": brief},
        "notebooks/scoreboard.md": {
            "scoreboard": whole,
            "columns": explain_columns(),
        },
    }.items():
        text = (ROOT / path).read_text("utf-8")
        for mark, table in marks.items():
            assert replace_between_marks(text, mark, table) == text


def test_the_stored_rows_are_of_the_code_and_the_judge_as_they_are():
    assert list(stale_rows()) == []


def test_stored_models_have_names_of_their_own():
    names = [row.model for row in read_scoreboard()]
    assert len(set(names)) == len(names)


def lesson_that_shows(rows):
    """A notebook with a scoreboard, and the seconds under it."""
    table = Scoreboard(rows)
    data, metadata = json.loads(json.dumps(table._repr_mimebundle_()))
    shown, timed = (nbformat.v4.new_code_cell() for _ in range(2))
    shown.metadata.tags = ["scoreboard"]
    shown.outputs = [
        nbformat.v4.new_output("display_data", {"text/plain": "<Figure>"}),
        nbformat.v4.new_output("execute_result", data, metadata=metadata),
    ]
    timed.outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=table.seconds)
    ]
    return nbformat.v4.new_notebook(cells=[shown, timed])


@pytest.fixture(params=["made up", "stored"])
def collection(request):
    """Rows, and lessons that show them."""
    if request.param == "stored":
        rows = read_scoreboard()
        if not rows:
            pytest.skip("no row is stored yet")
        return rows, {n: copy.deepcopy(LESSONS[n]) for n in LESSONS}
    later = make_row(model="later", lesson=7)
    lessons = {6: lesson_that_shows(ROWS)}
    lessons |= {7: lesson_that_shows([*ROWS, later])}
    return [*ROWS, later], lessons


def spoil(row, name):
    """The same row, with a small change."""
    if name in SCORES:
        value = row.scores[name]
        if isinstance(value, tuple):
            value = value[0], value[1] + 1e-9
        elif value is None:
            value = (0.5, 0.1) if name == "consistency" else 1
        else:
            value += 1
        return replace(row, scores=row.scores | {name: value})
    value = getattr(row, name)
    value += "x" if isinstance(value, str) else 1
    return replace(row, **{name: value})


def test_the_check_passes_what_is_right(collection):
    assert list(complaints(*collection)) == []


@pytest.mark.parametrize(
    "name", [*SCORES, *(f.name for f in fields(Row) if f.name != "scores")]
)
def test_a_changed_entry_of_the_store_is_caught(collection, name):
    rows, lessons = collection
    for i, row in enumerate(rows):
        spoiled = list(rows)
        spoiled[i] = spoil(row, name)
        assert list(complaints(spoiled, lessons))


def test_a_row_too_few_or_too_many_is_caught(collection):
    rows, lessons = collection
    for row in rows:
        assert list(complaints([r for r in rows if r != row], lessons))
    extra = replace(rows[0], model="a stranger")
    assert list(complaints([*rows, extra], lessons))
    assert list(complaints([], lessons))


def test_a_changed_digit_in_a_lesson_is_caught(collection):
    rows, lessons = collection
    for row in rows:
        lesson = copy.deepcopy(lessons[row.lesson])
        (table,) = boards(lesson)
        text = table.data["text/plain"]
        table.data["text/plain"] = text.replace(
            texts(row)["shapes"], texts(row)["shapes"].replace("±", "± 1")
        )
        assert list(complaints(rows, lessons | {row.lesson: lesson}))


def test_a_lesson_whose_scoreboard_has_no_output_is_caught():
    lesson = lesson_that_shows([])
    lesson.cells[0].outputs = []
    assert list(complaints([], {6: lesson}))
    assert list(complaints([], {6: nbformat.v4.new_notebook()})) == []

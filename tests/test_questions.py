"""The question bank, read back from its files without its writer."""

import html
import io
import re
import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from rules import questions

from tools.notebooks import read_lessons
from tools.questions import as_zip, closed_questions, write_bank

LESSONS = read_lessons()
QTI = "{http://www.imsglobal.org/xsd/ims_qtiasiv1p2}"
ASKED = re.compile(
    r"(?ms)^\*\*(\d+)\.\*\* ((?:(?!</details>).)*?)\n\n<details>"
    r"<summary>Answer</summary>\n\n\*\*(?:= )?([^*]+?)\.\*\* (.*?)"
    r"\n\n</details>"
)
OPEN = """\
**1.** Why?

<details><summary>Answer</summary>

Since **a** is so.

</details>"""
CHOICE = """\
**1.** Which?

- **a** one
- **b** two
- **c** $x_1$

<details><summary>Answer</summary>

**b.** So it is.

</details>"""
NUMBER = """\
**1.** How much?

<details><summary>Answer</summary>

**= −1,234.5 ± 0.1.** So much.

</details>"""


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """Folder with the question bank of all lessons."""
    out = tmp_path_factory.mktemp("questions")
    write_bank(LESSONS, out)
    return out


def lesson(text):
    """A lesson with this below *Check yourself*."""
    cells = ["# 7. Title", f"## Check yourself\n\n{text}", "## What we"]
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(cell) for cell in cells]
    )


def read_items(path):
    """What a learning system finds in a zip: title, options, what is right.

    What is right is the number of an option, or the least and the largest
    right number.
    """
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        trees = {
            name: ElementTree.fromstring(file.read(name))
            for name in file.namelist()
            if name.endswith(".xml")
        }
    (manifest,) = [t for n, t in trees.items() if n == "imsmanifest.xml"]
    for element in manifest.iter():
        if element.tag.endswith("}file"):
            assert element.get("href") in trees
    (tree,) = [t for t in trees.values() if t.tag == QTI + "questestinterop"]
    return [read_item(item) for item in tree.iter(QTI + "item")]


def read_item(item):
    labels = list(item.iter(QTI + "response_label"))
    texts = [e.text for e in item.iter(QTI + "mattext")]
    right = [
        condition
        for condition in item.iter(QTI + "respcondition")
        if [e.text for e in condition.iter(QTI + "setvar")] == ["100"]
    ]
    (condition,) = right
    equal = [e.text for e in condition.iter(QTI + "varequal")]
    if list(item.iter(QTI + "render_choice")):
        (ident,) = equal
        right = [label.get("ident") for label in labels].index(ident)
    else:
        (least,) = (float(e.text) for e in condition.iter(QTI + "vargte"))
        (most,) = (float(e.text) for e in condition.iter(QTI + "varlte"))
        right, labels = (least, most), []
    return item.get("title"), texts, len(labels), right


def asked(notebook):
    """Number, text, right answer and reason, as the lesson has them."""
    texts = [c.source for c in notebook.cells if c.cell_type == "markdown"]
    part = "\n\n".join(texts).split("## Check yourself")[1]
    return ASKED.findall(part.split("## What we learned")[0])


@pytest.mark.parametrize("name", LESSONS)
def test_marks_as_right_what_the_lesson_names(bank, name):
    expected = asked(LESSONS[name])
    items = read_items(bank / f"{Path(name).stem}.zip")
    assert len(items) == len(expected) >= 3
    for (title, _, options, right), (n, text, answer, _) in zip(
        items, expected, strict=True
    ):
        assert title == f"Lesson {int(name[:2])}, question {n}"
        assert options == len(re.findall(r"(?m)^- \*\*\w\*\* ", text))
        if options:
            assert right == "abcd".index(answer)
        else:
            value, _, margin = answer.replace(",", "").partition(" ± ")
            middle, width = float(value), float(margin or 0)
            assert right == pytest.approx((middle - width, middle + width))


@pytest.mark.parametrize("name", LESSONS)
def test_keeps_all_words_and_formulas(bank, name):
    whole = "\n".join(
        text
        for _, texts, *_ in read_items(bank / f"{Path(name).stem}.zip")
        for text in texts
    )
    formulas = re.findall(r'data-equation-content="(.*?)"', whole)
    source = " ".join(
        f"{text} {why}" for _, text, _, why in asked(LESSONS[name])
    )
    wanted = re.findall(r"\$([^$]+)\$", source)
    assert Counter(map(html.unescape, formulas)) == Counter(wanted)
    plain = re.sub(r"\$[^$]+\$|(?m:^- )\*\*\w\*\*|[*`]", " ", source)
    shown = html.unescape(re.sub(r"<[^>]*>", " ", whole))
    straight = shown.translate(str.maketrans("’‘“”", "''\"\""))
    assert sorted(straight.split()) == sorted(plain.split())


def test_all_lessons_stand_in_one_zip(bank):
    every = read_items(bank / "all_lessons.zip")
    each = [
        item
        for name in LESSONS
        for item in read_items(bank / f"{Path(name).stem}.zip")
    ]
    assert every == each
    assert len({title for title, *_ in every}) == len(every) > 45


def test_no_letter_and_no_length_gives_the_answer_away():
    choices = [
        question
        for notebook in LESSONS.values()
        for question in closed_questions(notebook)
        if question.options
    ]
    letters = Counter(question.right for question in choices)
    assert min(letters[c] for c in "abcd") >= len(choices) / 6
    assert max(letters.values()) <= len(choices) / 3
    longest = [
        q.right == max(q.options, key=lambda letter: len(q.options[letter]))
        for q in choices
    ]
    assert 0.1 < sum(longest) / len(choices) < 0.4


def test_files_are_the_same_each_time_and_may_be_shared(bank):
    text = (bank / "all_lessons.txt").read_text("utf-8")
    data = as_zip(text)
    assert data == (bank / "all_lessons.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        manifest = file.read("imsmanifest.xml").decode()
        assert {i.date_time[0] for i in file.infolist()} == {1980}
    assert "CC BY 4.0" in manifest and "Private" not in manifest
    assert "<imsmd:dateTime>1980-01-01<" in manifest


def test_open_questions_are_left_out():
    text = OPEN + "\n\n" + CHOICE.replace("**1.**", "**2.**")
    (question,) = closed_questions(lesson(text))
    assert (question.number, question.right) == (2, "b")
    assert question.options == {"a": "one", "b": "two", "c": "$x_1$"}
    assert (question.text, question.why) == ("Which?", "So it is.")


def test_a_number_may_be_negative_and_have_a_margin():
    (question,) = closed_questions(lesson(NUMBER))
    assert (question.right, question.margin) == ("-1234.5", "0.1")


BROKEN = {
    "no right one": (CHOICE, "**b.** So", "So", "begin with the right letter"),
    "no such option": (CHOICE, "**b.**", "**d.**", "'d' is none of a, b, c"),
    "two right ones": (CHOICE, "**b.**", "**b.** **c.**", "right are b, c"),
    "another letter": (CHOICE, "So it is", "Not **a**", "right are a, b"),
    "one option twice": (CHOICE, "two", "one", "two options are the same"),
    "a letter twice": (CHOICE, "- **b**", "- **a**", "options must be lines"),
    "no letter": (CHOICE, "- **b** two", "- two", "options must be lines"),
    "two lists": (CHOICE, "\n- **c**", "\n\n- **c**", "must be one list"),
    "one option": (
        CHOICE,
        "\n- **b** two\n- **c** $x_1$",
        "",
        "there is one option",
    ),
    "options lost": (
        CHOICE,
        "\n\n- **a** one\n- **b** two\n- **c** $x_1$",
        "",
        "there are no options",
    ),
    "not folded": (CHOICE, "<details>", "", "a text, a folded answer"),
    "more below": (CHOICE, "</details>", "</details>\n\nWhy?", "'Why?'"),
    "wrong number": (CHOICE, "**1.**", "**2.**", "expected '**1.** '"),
    "no number": (NUMBER, "1,234.5", "1-2", "expected '**= 2.** ' or"),
    "a margin of words": (NUMBER, "0.1", "little", "'**= 0.5 ± 0.1.** '"),
    "zero": (NUMBER, "−1,234.5", "0.05", "0 may not be right"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_form_is_refused(name):
    text, old, new, complaint = BROKEN[name]
    assert text.count(old) == 1
    with pytest.raises(ValueError) as error:
        closed_questions(lesson(text.replace(old, new)))
    assert complaint in str(error.value)
    assert re.match(
        r"lesson 7\. Title: Check yourself, question \d: ", str(error.value)
    )


def test_the_rule_bites():
    assert [*questions(lesson(OPEN), None)] == [
        "0 questions have one right answer, at least 3"
    ]
    (complaint,) = questions(lesson(CHOICE.replace("**b.**", "**d.**")), None)
    assert "is none of" in complaint

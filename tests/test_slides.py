"""Slides: what is taken from a lesson, and that all of it is to be seen."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from tools.browser import open_page
from tools.notebooks import find_lessons, read, tagged
from tools.slides import make_slides, write_slides

LESSONS = find_lessons()
PAGE = {"viewport": {"width": 1280, "height": 720}}
STILL = "* {transition: none !important}"
# lesson 6's board is higher than a slide, but its digits can be read
LEAST = {"06": 0.65}

# What is wrong with the slide that is shown. A figure has 100 pixels an inch
# at the scale 1; an em of a formula has 1000 units of its view box.
LOOK = """least => {
  const slide = Reveal.getCurrentSlide(), wrong = [];
  const seen = e => e.getBoundingClientRect();
  const name = e => e.tagName + ": " + e.textContent.trim().slice(0, 40);
  for (const e of slide.querySelectorAll("*")) {
    const r = seen(e);
    if (e.closest("mjx-assistive-mml, defs") || !r.width) continue;
    if (r.left < 0 || r.top < 0 || r.right > 1280 || r.bottom > 720)
      wrong.push(name(e) + " leaves the slide");
  }
  const marks = document.querySelectorAll(".slide-number, .controls button");
  const shown = [...slide.children, ...marks].filter(e => seen(e).width);
  shown.forEach((a, i) => shown.slice(i + 1).forEach(b => {
    const [r, s] = [seen(a), seen(b)];
    if (r.left < s.right && s.left < r.right && r.top < s.bottom
        && s.top < r.bottom && slide.contains(a))
      wrong.push(name(a) + " lies over " + name(b));
  }));
  for (const e of slide.querySelectorAll("img")) {
    const r = seen(e);
    const scale = Math.min(r.width / e.naturalWidth,
                           r.height / e.naturalHeight);
    if (!(scale >= least)) wrong.push("a figure is shown at " + scale);
    if (!e.alt) wrong.push("a figure has no text");
  }
  for (const e of slide.querySelectorAll(".tex mjx-container > svg")) {
    const em = 1000 * seen(e).width / e.viewBox.baseVal.width;
    if (em < 30) wrong.push("a formula is shown with an em of " + em);
  }
  if (slide.querySelector("mjx-merror")) wrong.push("MathJax fails");
  if (/[$][^$]*[$]/.test(slide.innerText)) wrong.push("TeX is left");
  return wrong;
}"""


@pytest.fixture(scope="module")
def decks(tmp_path_factory):
    """Folder of the slides of all lessons."""
    folder = tmp_path_factory.mktemp("slides")
    write_slides(folder)
    return folder


def open_deck(browser, path):
    page, outside = open_page(browser, **PAGE)
    page.goto(path.as_uri())
    page.wait_for_function("Reveal.isReady()")
    page.add_style_tag(content=STILL)
    return page, outside


def lesson_with(*cells):
    """Lesson 1 with other cells in place of its own."""
    notebook = read(LESSONS[0])
    start = next(
        i
        for i, cell in enumerate(notebook.cells)
        if "## Check yourself" in cell.source
    )
    picture = tagged(notebook, "picture")
    for cell in picture:
        cell.metadata.tags = ["picture"]
    notebook.cells[2:start] = [*cells, *picture]
    return notebook


def taken(*cells):
    """What comes onto slides of cells that are all tagged."""
    for cell in cells:
        cell.metadata.tags = ["slide"]
    slides = make_slides(lesson_with(*cells))
    kinds = [slide.text for slide in slides]
    return slides[2 : kinds.index("Check yourself")]


def text(source):
    return new_markdown_cell(source)


def code(printed):
    output = new_output("stream", name="stdout", text=printed)
    return new_code_cell("...", outputs=[output])


def test_a_formula_has_the_sentence_before_and_one_that_reads_it():
    head, slide = taken(
        text(
            "## Add\n\nNot this one. Add $a$ and $b$, e.g. 1. And call it:"
            "\n\n$$c = a + b$$\n\nIn words: the sum. Not this one."
        )
    )
    assert (head.kind, head.text) == ("section", "Add")
    assert slide.kind == "formula" and slide.head == "Add"
    assert slide.text.endswith("And call it:")
    assert slide.tex == "c = a + b"
    assert slide.more == "In words: the sum."


def test_what_does_not_read_a_formula_out_is_left_out():
    *_, slide = taken(text("## A\n\nAdd:\n\n$$c$$\n\nThe check adds them."))
    assert slide.more == ""


def test_a_question_stands_before_what_answers_it():
    head, asked, answer, *_ = taken(
        text("## A\n\nText.\n\n**Before you run it:** how many?"),
        code("three\n"),
        text("Three, of *four*. So there is room.\n\nMore."),
    )
    assert (asked.kind, asked.text) == ("question", "How many?")
    assert (answer.kind, answer.printed) == ("result", "three")
    assert answer.text == "Three, of *four*. So there is room."


def test_a_caption_is_short_and_leads_to_no_formula():
    long = "A. " + "word " * 38 + "end. "
    slide = taken(text("## A\n\nb"), code("c"), text(long + "Left out."))[1]
    assert slide.text == long.strip()
    slide = taken(text("## A\n\nb"), code("c"), text("Kept. It is:\n\n$$d$$"))
    assert slide[1].text == "Kept."


def test_the_text_of_another_section_is_no_caption():
    slide = taken(text("## A\n\nb"), code("c"), text("## B\n\nText."))[1]
    assert slide.text == ""


def test_a_cell_without_the_tag_is_left_out():
    cells = text("## A\n\nB:\n\n$$c$$"), code("d")
    assert [s.kind for s in make_slides(lesson_with(*cells))][2] == "section"
    assert make_slides(lesson_with(*cells))[2].text == "Check yourself"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_each_deck_has_what_a_lecturer_needs(path):
    notebook = read(path)
    slides = make_slides(notebook)
    kinds = [slide.kind for slide in slides]
    assert kinds[:3] == ["title", "result", "section"]
    assert kinds[-2:] == ["learned", "fails"]
    body = slides[2 : [s.text for s in slides].index("Check yourself")]
    assert kinds.count("section") >= 7
    assert sum(bool(s.png) for s in body) >= 4
    assert sum(s.kind == "question" for s in body) >= 3
    assert len(slides) - 2 > len(body) + 4
    assert all(slide.head for slide in body if slide.kind != "section")
    own = sum("$$" in cell.source for cell in tagged(notebook, "slide"))
    assert kinds.count("formula") == own >= 1
    for slide in slides:
        words = len(f"{slide.text} {slide.more}".split())
        beside = slide.png or slide.tex or slide.printed
        most = 45 if beside else 120 if slide.kind == "check" else 90
        assert words <= most, slide


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_each_tagged_cell_gives_a_slide(path):
    for cell in tagged(read(path), "slide"):
        slides = taken(text("## A\n\nb"), cell, text("Text."))
        assert len(slides) > 1, cell.source


def test_the_index_leads_to_each_deck_and_nothing_leads_outside(decks):
    index = (decks / "index.html").read_text("utf-8")
    for path in LESSONS:
        assert f'href="{path.stem}.html"' in index
        deck = (decks / f"{path.stem}.html").read_text("utf-8")
        assert not re.search(r'(?:src|href)="(?:https?:)?//', deck)
        for name in re.findall(r'(?:src|href)="(?!data:)([^"]*)"', deck):
            assert (decks / name).exists(), name


@pytest.mark.slow
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem[:2])
def test_no_slide_overflows(browser, decks, path):
    page, outside = open_deck(browser, decks / f"{path.stem}.html")
    assert page.evaluate("Reveal.getScale()") == 1
    least = LEAST.get(path.stem[:2], 0.8)
    wrong = {}
    for i in range(page.evaluate("Reveal.getTotalSlides()")):
        page.evaluate("i => Reveal.slide(i, 0, 99)", i)
        if found := page.evaluate(LOOK, least):
            wrong[i + 1] = found
    assert not wrong
    assert not outside


@pytest.mark.slow
def test_the_look_sees_what_is_wrong(browser, decks):
    page, _ = open_deck(browser, decks / f"{LESSONS[1].stem}.html")
    page.evaluate("Reveal.slide(1)")
    assert page.evaluate(LOOK, 0.8) == []
    assert "shown at" in page.evaluate(LOOK, 9)[0]
    page.add_style_tag(content=".tall { padding-right: 60px !important }")
    assert "lies over" in page.evaluate(LOOK, 0.8)[0]
    page.add_style_tag(content=".reveal .text { font-size: 200px !important }")
    assert any("leaves" in line for line in page.evaluate(LOOK, 0.8))


@pytest.mark.slow
def test_keys_turn_slides_and_show_answers(browser, decks):
    page, _ = open_deck(browser, decks / f"{LESSONS[0].stem}.html")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("Reveal.getIndices().h") == 1
    first = page.locator(".fragment").first
    i = page.evaluate(
        """Reveal.getSlides().findIndex(s => s.querySelector(".fragment"))"""
    )
    page.evaluate("i => Reveal.slide(i)", i)
    assert first.evaluate("e => getComputedStyle(e).opacity") == "0"
    page.keyboard.press("Space")
    assert page.evaluate("Reveal.getIndices().h") == i
    assert first.evaluate("e => getComputedStyle(e).opacity") == "1"


@pytest.mark.slow
def test_axe_finds_nothing(browser, decks):
    for name in [f"{LESSONS[1].stem}.html", "index.html"]:
        page, _ = open_page(browser, **PAGE)
        page.goto((decks / name).as_uri())
        if name != "index.html":
            page.wait_for_function("Reveal.isReady()")
        found = Axe().run(page)
        assert not found.response["violations"], found.generate_report()


@pytest.mark.slow
def test_a_deck_can_be_printed(browser, decks):
    page, _ = open_page(browser, **PAGE)
    address = (decks / f"{LESSONS[0].stem}.html").as_uri()
    page.goto(address + "?print-pdf")
    page.wait_for_function("Reveal.isReady()")
    page.wait_for_selector(".pdf-page")
    n = len(make_slides(read(LESSONS[0])))
    assert page.locator(".pdf-page").count() == n
    box = page.locator("h1").bounding_box()  # in the middle, as on the screen
    assert box["x"] == 60 and box["y"] > 200

"""The PDF: what is folded is shown, and contents lead to the pages."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from tools.browser import open_page
from tools.pdf import SOURCE, print_page, title_pages

PAGE = """<nav>side bar</nav><article><h1>All</h1><p>First.</p>
<div class="toctree-wrapper"><section><h3>1. One<a>#</a></h3>
<details><summary>Answer</summary><p>Folded.</p></details></section>
<section><div class="play" hidden><h2>Which?</h2></div></section>
<section><h3>2. Two</h3><h4>Part</h4><p style="height: 400mm">Long.</p>
</section><section><h3>Three</h3></section></div></article>"""


@pytest.mark.slow
def test_contents_lead_to_titles_and_nothing_stays_folded(browser):
    page, _ = open_page(browser)
    page.set_content(PAGE)
    page.add_style_tag(path=SOURCE / "print.css")
    page.add_script_tag(path=SOURCE / "prepare.js")
    page.evaluate("prepare()")
    pages = title_pages(print_page(page))
    assert pages == [3, 4, 6]
    page.evaluate("pages => number(pages)", pages)
    reader = PdfReader(BytesIO(print_page(page)))
    texts = [sheet.extract_text() for sheet in reader.pages]
    assert "side bar" not in texts[0]
    contents = texts[1].split()
    for title, number in zip(["One", "Two", "Three"], pages, strict=True):
        assert contents[contents.index(title) + 1] == str(number)
        assert title in texts[number - 1]
    assert "Folded." in texts[2]
    assert [text.split()[-1] for text in texts] == list("123456")
    assert len(reader.outline) > 0

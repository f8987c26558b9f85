"""One PDF of the whole collection, printed by Chromium: `make pdf`.

Sphinx makes one page of the stored lessons and what goes with them. It is
printed twice: the first time tells on which pages the titles are, and the
second one has these numbers in its list of contents.
"""

from io import BytesIO
from pathlib import Path

from playwright.sync_api import Page
from pypdf import PdfReader

from tools.browser import open_browser, open_page, serve
from tools.notebooks import ROOT, find_lessons
from tools.site import copy_mathjax, run_sphinx, sources, write_files

NAME = "gentle-generative-modelling.pdf"
SOURCE = ROOT / "site" / "pdf"
FOOTER = (
    '<p style="width: 100%; text-align: center; font: 8pt sans-serif">'
    '<span class="pageNumber"></span></p>'
)


def build_page(build: Path) -> Path:
    """Let Sphinx write all as one page, in build/one; its folder."""
    out = build / "one"
    lessons = {path.stem: path for path in find_lessons()}
    write_files(sources(ROOT, lessons, {}, {}), build / "one-pages")
    copy_mathjax(out / "_static" / "mathjax")
    run_sphinx(build / "one-pages", out, build / "one-doctrees", "singlehtml")
    return out


def print_page(page: Page) -> bytes:
    """The PDF file of a page, with page numbers and an outline."""
    return page.pdf(
        prefer_css_page_size=True,
        display_header_footer=True,
        header_template="<p></p>",
        footer_template=FOOTER,
        outline=True,
        tagged=True,
    )


def title_pages(file: bytes) -> list[int]:
    """Numbers, from 1, of the pages to which the list of contents leads.

    Parameters
    ----------
    file : bytes
        A PDF file with the destinations title-0, title-1 and so on.
    """
    reader = PdfReader(BytesIO(file))
    places = reader.named_destinations
    titles = [name for name in places if name.startswith("/title-")]
    pages = (reader.get_destination_page_number(places[t]) for t in titles)
    return sorted(page + 1 for page in pages if page is not None)


def write_pdf(build: Path = ROOT / "build") -> Path:
    """Write the PDF of the collection; its path.

    Raises
    ------
    RuntimeError
        If Sphinx warns or fails; the message is what it says.
    """
    folder = build_page(build)
    with open_browser() as browser, serve(folder) as address:
        page, _ = open_page(browser)
        page.goto(address)
        page.wait_for_function("MathJax.startup?.promise")
        page.evaluate("MathJax.startup.promise")
        page.add_style_tag(path=SOURCE / "print.css")
        page.add_script_tag(path=SOURCE / "prepare.js")
        page.evaluate("prepare()")
        pages = title_pages(print_page(page))
        page.evaluate("pages => number(pages)", pages)
        path = build / NAME
        path.write_bytes(print_page(page))
    return path


if __name__ == "__main__":
    print(write_pdf())

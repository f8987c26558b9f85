"""tools.site and tools.pages: each page of the site, in Chromium."""

import json
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from nbformat.v4 import (
    new_code_cell,
    new_markdown_cell,
    new_notebook,
    new_output,
)
from PIL import Image

from tools.browser import open_page, serve
from tools.notebooks import ROOT, find_lessons, read
from tools.pages import (
    launch_row,
    lead_links,
    prepare,
    scoreboard,
    takes,
)
from tools.site import build_site, keep_rules, seconds_in_page

FACTS = {"url": "https://github.com/a/b", "tag": "v1"}
LESSONS = [path.stem for path in find_lessons()]
PAGES = [f"{name}.html" for name in LESSONS]
PAGES += [f"exercises/{name}" for name in ["index.html", *PAGES]]
PAGES += [
    f"play/{path.stem}.html"
    for path in sorted((ROOT / "site" / "play").glob("*.md"))
]
PAGES += ["index.html", "notation.html", "scoreboard.html", "search.html"]
PAGES += ["teaching.html", "cite.html", "changes.html"]
FILLER = re.compile(
    r"(?i)(an? |the )?(image|picture|figure|plot|graph|chart|photo)s?"
    r"( \d+|( of\b.*))?\W*|.*\.(png|jpe?g|gif|svg)|[\w-]{16,}|\W*"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder of the site of the stored notebooks, and its address."""
    folder = build_site(build=tmp_path_factory.mktemp("build")).parent
    with serve(folder) as address:
        yield folder, address


def soup(path):
    """A page, parsed."""
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def ready(page, address):
    """Open a page, and wait until its formulas stand."""
    page.goto(address)
    page.evaluate("window.MathJax?.startup?.promise.then(() => {})")


def poor_alts(page, content=str):
    """Alternative texts on a parsed page that say nothing, or nothing new.

    `content` tells pictures apart: the first of a lesson comes again below.
    """
    told, poor = {}, []
    for image in page.find_all("img"):
        text, picture = image.get("alt", ""), content(image["src"])
        if FILLER.fullmatch(text) or told.setdefault(text, picture) != picture:
            poor.append(text)
    return poor


def test_filler_is_not_an_alternative_text():
    poor = ["image", "Figure 3", "A plot of the data", "fig_1.png", "", "–"]
    poor += ["_images/4f2a.svg", "3b1c97e0d2f84a6655aa", "Picture"]
    good = ["Figures 0 to 9 in rows", "Two humps", "Plotted dots rise"]
    texts = [*poor, *good, "Two humps"]
    page = "".join(
        f'<img src="{i}" alt="{text}">' for i, text in enumerate(texts)
    )
    page += '<img src="0"><img src="10" alt="Two humps">'
    page = BeautifulSoup(page, "html.parser")
    assert poor_alts(page) == [*poor, "Two humps", ""]


@pytest.mark.parametrize(
    ("link", "led"),
    [
        ("[a](02_two.ipynb)", "[a](02_two.ipynb)"),
        ("[a](02_two.ipynb#Part,-again?)", "[a](02_two.ipynb#part-again)"),
        ("[a](../README.md)", "[a](index.md)"),
        ("[a](exercises/02_two.ipynb)", "[a](exercises/02_two.ipynb)"),
        (
            "[a](../utils/data.py)",
            "[a](https://github.com/a/b/blob/v1/utils/data.py)",
        ),
        (
            "[a](03_three.ipynb)",
            "[a](https://github.com/a/b/blob/v1/notebooks/03_three.ipynb)",
        ),
        ("![it](pictures/02_two.png)", ""),
        ("[a](#part)", "[a](#part)"),
        ("[a](https://x.org/a.ipynb)", "[a](https://x.org/a.ipynb)"),
        ("$E[x](t) + f[a](b)$", "$E[x](t) + f[a](b)$"),
    ],
)
def test_links_lead_to_pages_or_to_the_repository(link, led):
    names = ["01_one", "02_two", "exercises/02_two"]
    pages = {f"notebooks/{name}.ipynb": f"{name}.ipynb" for name in names}
    pages["README.md"] = "index.md"
    assert lead_links(link, "notebooks/01_one.ipynb", pages, FACTS) == led


def test_links_from_a_folder_go_up():
    pages = {
        "notebooks/exercises/01_one.ipynb": "exercises/01_one.ipynb",
        "notebooks/01_one.ipynb": "01_one.ipynb",
    }
    file = "notebooks/exercises/01_one.ipynb"
    led = lead_links("[a](../01_one.ipynb)", file, pages, FACTS)
    assert led == "[a](../01_one.ipynb)"


def test_launch_row_has_the_addresses_of_the_badges():
    badges = read(find_lessons()[0]).cells[0].source
    row = BeautifulSoup(launch_row(badges, "01_a.ipynb", 12), "html.parser")
    links = {link.text: link["href"] for link in row.find_all("a")}
    assert list(links) == [
        "Run in the browser, 12 s",
        "Open in Binder",
        "Open in Colab",
        "Download",
        "Source",
    ]
    run, binder, colab, download, source = links.values()
    assert run == "lite/notebooks/index.html?path=01_a.ipynb"
    assert f"({binder})" in badges and f"({colab})" in badges
    assert "/v2/gh/" in binder and colab.endswith(".ipynb")  # no picture
    assert download == "notebooks/01_a.ipynb"
    assert source.startswith("https://github.com/")
    row = launch_row(badges, "exercises/01_a.ipynb", 0)
    assert '"../lite/notebooks/index.html?path=exercises/01_a.ipynb"' in row
    row = launch_row(badges, "exercises/01_a.ipynb", None)
    assert "lite" not in row and '"../notebooks/exercises/01_a' in row


def test_only_the_first_lessons_run_in_the_page(tmp_path):
    assert seconds_in_page(tmp_path / "lite") == {}
    found = seconds_in_page(tmp_path)
    assert list(found)[:5] == LESSONS[:5] and len(found) == 10
    assert all(found[name] > 0 for name in LESSONS[:5])


def test_what_each_lesson_takes_is_found_in_its_text():
    pattern = r"about \w+ (seconds|minutes), [\d.]+ [MG]B"
    for path in find_lessons():
        assert re.fullmatch(pattern, takes(read(path))), path.name
    cells = [new_markdown_cell("# 1. A"), new_markdown_cell("*Why?*")]
    assert takes(new_notebook(cells=cells)) == ""


def test_a_figure_keeps_its_alternative_text_and_set_up_folds():
    figure = new_output(
        "display_data",
        {"image/png": "AAAA"},
        metadata={"image/png": {"alt": "two humps"}},
    )
    cells = [
        new_markdown_cell("# 1. A\n\nbadges\n\nnavigation"),
        new_code_cell("import os", metadata={"tags": ["set-up"]}),
        new_code_cell("show()", outputs=[figure]),
    ]
    notebook = new_notebook(cells=cells)
    shown = prepare(notebook, "01_a.ipynb", None, "cell [2]: a < b")
    assert "navigation" not in shown.cells[0].source
    assert "failed in cell [2]: a &lt; b" in shown.cells[0].source
    assert "hide-input" in shown.cells[1].metadata["tags"]
    assert shown.cells[2].metadata["mystnb"]["image"]["alt"] == "two humps"
    assert notebook.cells[1].metadata["tags"] == ["set-up"]  # as it was


def test_rules_of_classes_that_no_page_has_go():
    css = (
        "/* .no */:root{--a:1}.yes,.no>a{b:c}.no{d:e}"
        "@media print{.no{f:g}p:not(.no,.yes) .yes{h:i}}"
    )
    kept = ":root{--a:1}.yes{b:c}@media print{p:not(.no,.yes) .yes{h:i}}"
    assert keep_rules(css, {"yes"}) == kept


def test_rows_of_the_scoreboard_lead_to_lessons():
    text = "<!-- scoreboard -->\n| VAE, prior | 10 | 8.0 |\n| mean | 0.1 |"
    text = scoreboard(text, find_lessons())
    assert f"| [VAE, prior]({LESSONS[9]}.ipynb) | 10 | 8.0 |\n| mean" in text


@pytest.mark.slow
def test_the_site_has_each_page(site):
    folder, _ = site
    parts = [".", "exercises", "play"]
    pages = [p for part in parts for p in (folder / part).glob("*.html")]
    made = {path.relative_to(folder).as_posix() for path in pages}
    assert made == set(PAGES)
    bar = soup(folder / "notation.html").select(".bd-links a")
    assert {f"{name}.html" for name in LESSONS} <= {a["href"] for a in bar}
    head = {
        tag["property"]: tag["content"]
        for tag in soup(folder / PAGES[1]).select("meta[property]")
    }
    assert head["og:title"] == "2. The univariate normal"
    told = "What is the simplest model of one number?"
    assert head["og:description"] == told
    with Image.open(folder / head["og:image"]) as card:
        assert card.size == (1200, 630)
    way = soup(folder / PAGES[1]).select(".prev-next-area a")
    assert [link["href"] for link in way] == [PAGES[0], PAGES[2]]


@pytest.mark.slow
def test_links_and_anchors_lead_somewhere(site):
    folder, _ = site
    pages = {(folder / name).resolve(): soup(folder / name) for name in PAGES}
    ids = {
        path: {tag["id"] for tag in page.find_all(id=True)}
        for path, page in pages.items()
    }
    for path, page in pages.items():
        for tag in page.find_all(["a", "img", "script", "link"]):
            link = tag.get("href") or tag.get("src") or ""
            if tag.name == "a" and re.match(r"https?:", link):
                continue
            assert "//" not in link, (path.name, link)
            target, _, anchor = re.sub(r"\?.*", "", link).partition("#")
            to = (path.parent / target).resolve() if target else path
            assert to.exists(), (path.name, link)
            if anchor:
                assert anchor in ids[to], (path.name, link)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_asks_nobody(name, site, browser):
    folder, address = site
    path = folder / name
    read_picture = lambda src: (path.parent / src).read_bytes()  # noqa: E731
    assert not poor_alts(soup(path), read_picture)
    page, outside = open_page(browser, viewport={"width": 1280, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    ready(page, address + name)
    assert page.locator("h1").count() == 1
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()
    page.set_viewport_size({"width": 390, "height": 844})
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_timeout(400)  # colours fade
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    found = Axe().run(page)
    assert not found.violations_count, found.generate_report()
    assert not outside and not errors
    page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", [PAGES[4], PAGES[13]])
def test_a_lesson_weighs_little_beside_its_figures(name, site, browser):
    _, address = site
    page, _ = open_page(browser)
    answers = []
    page.on("response", lambda answer: answers.append(answer))
    ready(page, address + name)
    page.wait_for_load_state("networkidle")
    weights = {
        answer.url.removeprefix(address): len(answer.body())
        for answer in answers
        if answer.request.resource_type != "image"
    }
    assert any("startup.js" in url for url in weights)
    assert sum(weights.values()) < 1.5e6, weights
    page.context.close()


@pytest.mark.slow
def test_a_lesson_has_what_a_reader_needs(site, browser):
    folder, address = site
    page, _ = open_page(browser, color_scheme="dark")
    ready(page, address + PAGES[4])
    page.keyboard.press("Tab")
    focus = page.evaluate("document.activeElement.textContent")
    assert focus == "Skip to main content"
    setup = page.locator("details", has_text="git clone").first
    assert (
        setup.locator("summary").inner_text()
        == "Show the cell that finds the project"
    )
    assert setup.get_attribute("open") is None
    answer = page.locator("details:not(.above-input)", has_text="Answer").first
    assert answer.get_attribute("open") is None
    assert page.locator(".cell_input .copybtn").count() > 20
    assert page.locator(".cell_output .copybtn").count() == 0
    figure = page.locator(".cell_output img").first
    style = "e => [getComputedStyle(e).backgroundColor, "
    style += "getComputedStyle(e).filter]"
    assert figure.evaluate(style) == ["rgb(255, 255, 255)", "none"]
    page.context.close()
    moving = [
        tag["src"]
        for tag in soup(folder / PAGES[4]).select(".cell_output img")
        if b"acTL" in (folder / tag["src"]).read_bytes()
    ]
    assert len(moving) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", ["served", "as a file"])
@pytest.mark.parametrize("word", ["horseshoe", "eigen_factor", "ghosts"])
def test_search_finds_words_of_prose_code_and_headings(
    word, how, site, browser
):
    folder, address = site
    address = address if how == "served" else folder.as_uri() + "/"
    page, outside = open_page(browser)
    page.goto(f"{address}search.html?q={word}")
    page.wait_for_selector("#search-results li a")
    links = page.locator("#search-results li a")
    hrefs = links.evaluate_all("all => all.map((a) => a.href)")
    assert any(LESSONS[4] in href for href in hrefs)
    assert not outside
    page.context.close()


@pytest.mark.slow
def test_the_scoreboard_sorts_by_mouse_and_by_keyboard(site, browser):
    _, address = site
    page, _ = open_page(browser)
    page.goto(address + "scoreboard.html")
    table = page.locator("table.sortable")
    assert all(
        re.fullmatch(r"\d\d_\w+\.html", link)
        for link in table.locator("tbody td:first-child a").evaluate_all(
            "all => all.map((a) => a.getAttribute('href'))"
        )
    )

    def column(head):
        heads = table.locator("thead th").all_inner_texts()
        i = [text.strip() for text in heads].index(head)
        cells = f"tbody td:nth-child({i + 1})"
        return table.locator(cells).all_inner_texts()

    def numbers(head):
        cells = column(head)
        marks = [text == "–" for text in cells]
        assert marks == sorted(marks)  # dashes come last
        found = [text.replace(",", "") for text in cells if text != "–"]
        return [float(re.sub(r"^[≤<] | ±.*", "", text)) for text in found]

    for head in ["shapes", "parameters", "bits/dim", "1,000 samples, s"]:
        button = table.get_by_role("button", name=head, exact=True)
        button.click()
        up = numbers(head)
        assert up == sorted(up) and len(set(up)) > 3
        cell = table.locator("thead th[aria-sort]")
        assert cell.count() == 1
        assert cell.get_attribute("aria-sort") == "ascending"
        button.focus()
        page.keyboard.press("Enter")
        assert numbers(head) == up[::-1]
        assert cell.get_attribute("aria-sort") == "descending"
    table.get_by_role("button", name="model").click()
    names = [name.lower() for name in column("model")]
    assert names[0] == "class gaussians, ridge 3e-02"
    assert names[-1] == "vae, prior"
    page.context.close()


@pytest.mark.slow
def test_one_lesson_alone(tmp_path):
    """Its page, and a first page that tells of the others."""
    name = LESSONS[1]
    there = {name: find_lessons()[1]}
    results = {
        name: {"seconds": 4.2, "peak_mb": 310, "error": "cell [3]: <x>"}
    }
    site = build_site(there, results, build=tmp_path).parent
    assert len(list(site.glob("[0-9]*.html"))) == 1
    index = soup(site / "index.html")
    assert index.text.count("not run yet") == len(LESSONS) - 1
    told = "This lesson failed in cell [3]: <x>"
    assert told in index.text
    assert told in soup(site / f"{name}.html").text
    other = soup(site / "notation.html").find("a", href=re.compile("03_mul"))
    assert other["href"].startswith("https://github.com/")
    results[name].pop("error")
    build_site(there, results, build=tmp_path)
    assert "4.2 s, 310 MB" in soup(site / "index.html").text


@pytest.mark.slow
def test_notebooks_can_be_downloaded_as_they_are(site):
    folder, _ = site
    for path in find_lessons():
        copy = folder / "notebooks" / path.name
        assert copy.read_bytes() == path.read_bytes()
    assert json.loads((folder / "notebooks/exercises" / path.name).read_text())

"""One PDF of the whole collection, printed by Chromium: `make pdf`.

Sphinx makes one page of the stored lessons and what goes with them. It is
printed twice: the first time tells on which pages the lessons begin, the
second one has these numbers in its list of contents.
"""

from pathlib import Path

from pypdf import PdfReader

from tools.browser import open_browser, open_page, serve
from tools.notebooks import ROOT, find_lessons
from tools.site import (
    SITE,
    copy_mathjax,
    run_sphinx,
    sources,
    write_files,
)

NAME = "gentle-generative-modelling.pdf"
FOOTER = """
<p style="width: 100%; text-align: center; font: 8pt sans-serif">
<span class="pageNumber"></span></p>"""
# Unfolds what is folded, and puts a list of the titles after the first page.
PREPARE = """() => {
  document.querySelectorAll("details").forEach(e => { e.open = true; });
  document.querySelectorAll("img").forEach(e => { e.loading = "eager"; });
  const titles = [...document.querySelectorAll("h1")].slice(1);
  const list = document.createElement("ol");
  for (const title of titles) {
    title.id ||= "title-" + list.children.length;
    const link = document.createElement("a");
    link.href = "#" + title.id;
    link.textContent = title.firstChild.textContent.trim();
    list.append(document.createElement("li"));
    list.lastChild.append(link, document.createElement("b"));
  }
  const contents = document.createElement("section");
  contents.className = "contents";
  contents.innerHTML = "<h2>Contents</h2>";
  contents.append(list);
  titles[0].closest("section").before(contents);
  return [...list.children].map(e => e.textContent);
}"""
NUMBER = """pages => document.querySelectorAll(".contents b").forEach(
  (e, i) => { e.textContent = pages[i]; })"""

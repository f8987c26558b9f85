"""Settings of Sphinx for the site; `tools.site` calls it."""

import os

from docutils import nodes

project = "A Gentle Introduction to Generative Modelling"
html_title = project
# the address of the site ends in a slash; only who publishes it knows it
html_baseurl = os.environ.get("SITE_URL", "")
extensions = ["myst_nb", "sphinx.ext.mathjax", "sphinx_copybutton"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["attrs_block", "dollarmath"]
myst_heading_anchors = 3
# tools.site copies what the pages need of MathJax
mathjax_path = "mathjax/startup.js"
mathjax3_config = {
    "loader": {"load": ["input/tex", "output/chtml", "a11y/assistive-mml"]}
}
copybutton_selector = "div:not(.output) > div.highlight pre"
html_theme = "sphinx_book_theme"
html_theme_options = {
    "toc_title": "On this page",
    "use_download_button": False,
    "use_fullscreen_button": False,
    "footer_content_items": ["extra-footer"],
    "extra_footer": "Code: MIT. Text: CC BY 4.0. Digits: CC BY-SA 3.0.",
    "search_bar_text": "Search the lessons",
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_context = {"default_mode": "auto"}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
templates_path = ["templates"]
html_copy_source = False
html_show_sphinx = False
html_use_index = False


def describe(app, pagename, templatename, context, doctree):
    """Give the page what links to it show: its first words and a picture."""
    words = doctree.next_node(nodes.paragraph) if doctree else None
    context["description"] = words.astext() if words else project
    context["card"] = html_baseurl + "card.png"
    if not html_baseurl:
        context["card"] = context["pathto"]("card.png", 1)


def name_toggles(app, pagename, templatename, context, doctree):
    """Give a name to what opens a branch of the side bar: it has an icon."""
    draw = context["generate_toctree_html"]
    named = '<summary aria-label="The pages below">'
    context["generate_toctree_html"] = lambda *args, **options: str(
        draw(*args, **options)
    ).replace("<summary>", named)


def setup(app):
    """Connect it to Sphinx."""
    app.connect("html-page-context", describe)
    app.connect("html-page-context", name_toggles, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Settings of Sphinx for the site; `tools.site` calls it."""

import os

project = "A Gentle Introduction to Generative Modelling"
html_title = project
html_baseurl = os.environ.get("SITE_URL", "")
extensions = ["myst_nb", "sphinx_copybutton", "sphinx.ext.mathjax"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["attrs_block", "dollarmath"]
myst_heading_anchors = 3
# tools.site copies what is needed of MathJax
mathjax_path = "mathjax/startup.js"
mathjax3_config = {
    "loader": {"load": ["input/tex", "output/chtml", "a11y/assistive-mml"]}
}
html_theme = "sphinx_book_theme"
html_theme_options = {
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
}
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
templates_path = ["templates"]
html_copy_source = False
html_show_sphinx = False
html_use_index = False

"""Chromium, for tests and for printing, and a server for what it shows.

It sees this machine only: a page that asks another host gets no answer, and
`outside` lists what it asked for.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ["chromium", "chromium-browser", "google-chrome", "chrome"]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


def find_chromium() -> str | None:
    """Path of Chromium or Chrome, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium, with a new profile.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    path = find_chromium()
    if path is None:
        raise FileNotFoundError(
            "no Chromium found; on Debian and Ubuntu, apt install chromium"
        )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Browser, **options) -> tuple[Page, list[str]]:
    """A page in a context of its own that reaches no other machine.

    Parameters
    ----------
    browser : Browser
    **options
        Of `Browser.new_context`, for example viewport or color_scheme.

    Returns
    -------
    page : Page
    outside : list of str
        Grows by each address on another machine that the page asks for.
    """
    outside: list[str] = []
    context = browser.new_context(**options)

    def refuse(route):
        outside.append(route.request.url)
        route.abort()

    context.route(lambda url: not _is_here(url), refuse)
    return context.new_page(), outside


def _is_here(url):
    here = "http://127.0.0.1:", "file:", "data:", "blob:", "about:"
    return url.startswith(here)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """Say nothing of a page that closes before it has its answer."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; its address, which ends in a slash."""
    handler = partial(_Quiet, directory=str(folder))
    with _Server(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()

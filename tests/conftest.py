"""A browser for the tests that need one, and what pytest tells at its end."""

import os

import pytest


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; without one, tests are skipped, but not in CI."""
    # here, since some CI jobs install no browser's driver
    from tools.browser import find_chromium, open_browser

    if find_chromium() is None and not os.environ.get("CI"):
        pytest.skip("no Chromium here")
    with open_browser() as opened:
        yield opened


def pytest_terminal_summary(terminalreporter):
    """A table of the exercises, and of what their checks were tried on."""
    rows = [
        value
        for report in terminalreporter.getreports("passed")
        for name, value in getattr(report, "user_properties", [])
        if name == "exercise"
    ]
    if rows:
        terminalreporter.section("exercises")
        head = "lesson", "exercise", "solution", "blank", "wrong answers"
        for row in [head, *rows]:
            line = "{:8}{:16}{:10}{:7}{}".format(*row)
            terminalreporter.write_line(line)

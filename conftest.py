"""Tests and lessons run as if the user had no settings of their own."""

from contextlib import ExitStack

from tools.settings import CELL_SECONDS, clean_settings


def pytest_configure(config):
    """Hide the settings until pytest ends; one limit for all cells."""
    stack = ExitStack()
    stack.enter_context(clean_settings())
    config.add_cleanup(stack.close)
    config.option.nbval_cell_timeout = CELL_SECONDS

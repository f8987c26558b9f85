"""tools.versions: the lowest versions are those of pyproject.toml."""

from tools.versions import lowest

PROJECT = """\
[project]
dependencies = ["numpy >= 2.0", "jax >= 0.4.34; sys_platform != 'darwin'"]

[project.optional-dependencies]
scale = ["dask >= 2024.9"]
coding = ["constriction >= 0.4"]
test = ["pytest >= 8"]
"""


def test_lowest_pins_are_the_bounds(tmp_path):
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    wanted = ["numpy==2.0", "jax==0.4.34", "dask==2024.9", "constriction==0.4"]
    assert lowest(tmp_path) == wanted


def test_each_bound_here_is_a_pin():
    assert all("==" in pin for pin in lowest())

"""The two pages to play with: their data, their mathematics, their buttons.

PLAY_SITE=build/site tests the pages of a built site; else they are built
alone.
"""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from scipy.ndimage import center_of_mass, shift

from tools import play, play_models
from tools.browser import open_page
from tools.eye import real_digits
from tools.notebooks import ROOT, code_cells, read_lessons
from utils.data import load_mnist
from utils.gaussian import class_posterior, conditional
from utils.scores.board import read_scoreboard

CONF = """\
extensions = ["myst_parser"]
project = html_title = "Two pages"
html_theme = "sphinx_book_theme"
html_static_path = ["static"]
exclude_patterns = []
suppress_warnings = ["myst.xref_missing"]
"""


@pytest.fixture(scope="module")
def models():
    return play_models.load(play.MODELS)


@pytest.fixture(scope="module")
def test_digits():
    """Ten test digits of each class, as levels of shape (100, 784)."""
    _, (x, y) = load_mnist()
    return x[play.first_of_each(y, 10)].reshape(-1, 784)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The scripts that hold data."""
    return play.write_data(tmp_path_factory.mktemp("data"))


def page_text():
    """Text of the page "Draw a digit", its lines joined."""
    return " ".join((ROOT / "site/play/draw.md").read_text("utf-8").split())


def unpacked(packed):
    raw, found = zlib.decompress(base64.b64decode(packed["bytes"])), {}
    for array in packed["arrays"]:
        dtype, shape = np.dtype(array["type"]), array["shape"]
        n = int(np.prod(shape)) * dtype.itemsize
        found[array["name"]] = np.frombuffer(raw[:n], dtype).reshape(shape)
        raw = raw[n:]
    assert not raw
    return found


def test_stored_models_are_of_this_code():
    assert list(play.stale_models()) == []
    assert play.MODELS.stat().st_size < 2.3e6


def test_stale_models_are_named(tmp_path, models):
    path = tmp_path / "models.npz"
    assert len(list(play.stale_models(path))) == 1
    np.savez(path, **models | {"code": np.array("another")})
    assert len(list(play.stale_models(path))) == 1


def test_only_stale_models_are_fitted(tmp_path, monkeypatch, capsys):
    path, fitted = tmp_path / "models.npz", []
    monkeypatch.setattr(play_models, "store", fitted.append)
    play.main([], play.MODELS)
    assert fitted == []
    play.main([], path)
    play.main(["--force"], play.MODELS)
    assert fitted == [path, play.MODELS]


def test_settings_are_those_of_the_lessons():
    lessons = read_lessons()
    seven, eight = (
        "\n".join(cell.source for cell in code_cells(notebook))
        for name, notebook in lessons.items()
        if name.startswith(("07", "08"))
    )
    assert f'"PPCA", {play_models.RANK})' in seven
    assert "FLOOR = GREY**2 / 12" in seven
    k, options = play_models.PLUMP["n_components"], play_models.PLUMP.copy()
    del options["n_components"]
    plump = ", ".join(f"{name}={value}" for name, value in options.items())
    assert f"plump = dict({plump})" in eight
    assert f"({k}, {play_models.N_AXES}, plump)" in eight


def test_16_bits_keep_a_number_to_a_65000th_of_the_largest():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((3, 50, 4)) * np.array([1e-3, 1, 10, 0])
    levels, scale = play_models.to_16_bits(x, 1)
    assert levels.dtype == np.int16 and scale.shape == (3, 1, 4)
    error = np.abs(levels * scale.astype(float) - x).max(axis=1)
    assert (error <= np.abs(x).max(axis=1) / 65_000).all()


def test_arrays_are_packed_aligned_and_whole():
    arrays = {
        "a": np.arange(3, dtype=np.uint8),
        "b": np.arange(-2, 3, dtype=np.int16).reshape(5, 1),
        "c": np.float32([0.5, -1]),
    }
    packed = play.pack(**arrays)
    assert [array["name"] for array in packed["arrays"]] == ["c", "b", "a"]
    for name, x in unpacked(packed).items():
        np.testing.assert_array_equal(x, arrays[name])
    with pytest.raises(ValueError, match="b must be .*, got float64"):
        play.pack(b=np.ones(3))


@pytest.mark.slow
def test_data_fit_in_3_mb_and_hold_what_the_pages_say(data):
    assert sum(path.stat().st_size for path in data) <= 3_000_000
    read = {}
    for path in data:
        head, text = path.read_text("utf-8").split(" = ", 1)
        read[head] = json.loads(text.rstrip().removesuffix(";"))
    which = read["const WHICH_DATA"]
    names = [model["name"] for model in which["models"]]
    rows = {row.model: row for row in read_scoreboard()}
    assert set(rows) - set(names) == set(play.NO_MODELS)
    specks = {m["name"] for m in which["models"] if not m["digits"]}
    assert specks == {
        "uniform noise",
        "independent coins",
        "independent pixels",
    }
    pictures = unpacked(which)
    assert pictures["real"].shape == (200, 784)
    tone = np.sort(real_digits(np.random.default_rng(0)), None) * 255
    for own in pictures["matched"]:
        np.testing.assert_allclose(np.sort(own, None), tone, atol=0.5)
    numbers = unpacked(read["const DRAW_DATA"])
    assert numbers["neighbours"].shape == (4000, 784)
    assert "Of 4,000, 400 of each class" in page_text()
    assert max(numbers["rounding"][0]) < 0.02
    assert max(numbers["rounding"][1]) < 0.004
    assert "less than 0.02 nats" in page_text()
    assert "less than 0.004" in page_text()


@pytest.mark.slow
def test_models_read_as_the_rows_of_the_scoreboard(models):
    _, (x, y) = load_mnist()
    arrays = play_models.expand(models)
    joint = play_models.log_joint(arrays, play_models.to_rows(x))
    right = (joint.argmax(axis=2) == y).mean(axis=1)
    rows = {row.model: row.scores["bayes"] for row in read_scoreboard()}
    wanted = rows["PPCA, rank 20"], rows["class mixtures"]
    np.testing.assert_allclose(right, wanted, atol=0.0015)
    for share in wanted:
        assert f"{100 * share:.1f} % right" in page_text()
    quantiles = np.logaddexp.reduce(joint, axis=2)
    quantiles = np.quantile(quantiles, play_models.QUANTILES, axis=1).T
    np.testing.assert_allclose(models["quantiles"], quantiles, atol=1e-3)


# in Chromium


@pytest.fixture(scope="module")
def site(tmp_path_factory, request):
    """Folder of a site with the two pages, in the theme of the real one."""
    if given := os.environ.get("PLAY_SITE"):
        return Path(given).resolve()
    data = request.getfixturevalue("data")
    source = tmp_path_factory.mktemp("source")
    shutil.copytree(ROOT / "site/play", source / "play")
    shutil.copytree(ROOT / "site/static/play", source / "static/play")
    for path in data:
        shutil.copy(path, source / "static/play")
    (source / "conf.py").write_text(CONF)
    pages = "which", "draw"
    tree = "\n".join(["# Two pages\n", "```{toctree}"])
    tree += "".join(f"\nplay/{page}" for page in pages) + "\n```\n"
    (source / "index.md").write_text(tree)
    out = tmp_path_factory.mktemp("site")
    sphinx = [sys.executable, "-m", "sphinx", "-q", "-W", "-b", "html"]
    subprocess.run([*sphinx, source, out], check=True)
    return out


@pytest.fixture
def visit(browser, site):
    """Open a page from its file, and wait until it works."""
    opened = []

    def go(name, query="?seed=5", script=None, **options):
        page, outside = open_page(browser, **options)
        errors = []
        opened.append((page, outside, errors))
        page.on("pageerror", lambda error: errors.append(error.stack))
        if script:
            page.add_init_script(script)
        page.goto((site / "play" / f"{name}.html").as_uri() + query)
        page.wait_for_selector(f"#{name}[data-ready=yes]", timeout=20_000)
        return page

    yield go
    for page, outside, errors in opened:
        page.context.close()
        assert outside == []
        assert not [stack for stack in errors if "_static/play/" in stack]


@pytest.mark.slow
def test_the_page_computes_what_utils_does(visit, models, test_digits):
    page = visit("draw")
    page.evaluate(
        "async () => { arrays = await play.unpack(DRAW_DATA);"
        "both = models.makeModels(arrays); }"
    )
    joint = page.evaluate(
        "rows => rows.map(r => models.logJoint(both, models.toRow(r)))",
        test_digits.tolist(),
    )
    found = np.swapaxes(joint, 0, 1)
    arrays = play_models.expand(models)
    x = play_models.to_rows(test_digits)
    wanted = play_models.log_joint(arrays, x)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-3)
    prior = arrays["counts"] / arrays["counts"].sum()
    for a, joint in zip(found, wanted, strict=True):
        shares, log_p = page.evaluate(
            "rows => [rows.map(models.posterior), rows.map(models.logSumExp)]",
            a.tolist(),
        )
        theirs = class_posterior(joint - np.log(prior), prior)
        np.testing.assert_allclose(shares, theirs, rtol=0, atol=1e-3)
        theirs = np.logaddexp.reduce(joint, axis=1)
        np.testing.assert_allclose(log_p, theirs, rtol=0, atol=1e-3)


@pytest.mark.slow
def test_the_lower_half_is_the_conditional_of_utils(
    visit, models, test_digits
):
    page = visit("draw")
    ppca, _ = play_models.as_models(play_models.expand(models))
    x = play_models.to_rows(test_digits)
    upper = np.arange(784) < 392
    rng = np.random.default_rng(0)
    page.evaluate(
        "async () => { arrays = await play.unpack(DRAW_DATA);"
        "both = models.makeModels(arrays); }"
    )
    for c, model in enumerate(ppca):
        of_class = slice(10 * c, 10 * c + 10)
        z = rng.standard_normal(20 + 392)
        halves, spread, noise = page.evaluate(
            """([c, rows, z]) => {
              const all = rows.map(
                levels => models.complete(both.ppca[c], models.toRow(levels)));
              const draws = all.map(half => [half.mean,
                models.drawHalf(half, z, 0.7, true),
                models.drawHalf(half, z, 0.7, false)].map(a => [...a]));
              return [draws, [...all[0].spread], all[0].noise];
            }""",
            [c, test_digits[of_class].tolist(), z.tolist()],
        )
        cov = model.loadings @ model.loadings.T
        cov += np.diag(model.noise_variance)
        mean, cov = conditional(model.mean, cov, upper, x[of_class][:, upper])
        spread = np.reshape(spread, (392, 20))
        ours = spread @ spread.T + noise * np.eye(392)
        np.testing.assert_allclose(ours, cov, rtol=0, atol=1e-5)
        found, drawn, smooth = np.swapaxes(halves, 0, 1)
        np.testing.assert_allclose(found, mean, rtol=0, atol=1e-3)
        plane = mean + 0.7 * spread @ z[:20]
        np.testing.assert_allclose(smooth, plane, rtol=0, atol=1e-3)
        plane += 0.7 * np.sqrt(noise) * z[20:]
        np.testing.assert_allclose(drawn, plane, rtol=0, atol=1e-3)


@pytest.mark.slow
def test_the_nearest_are_those_of_numpy(visit, test_digits):
    page = visit("draw")
    (x, y), _ = load_mnist()
    rows = x[play.first_of_each(y, play.NEIGHBOURS)].reshape(-1, 784)
    some = test_digits[::20]
    found = page.evaluate(
        """async rows => {
          const arrays = await play.unpack(DRAW_DATA);
          const digits = arrays.neighbours.values;
          return rows.map(r => models.nearest(digits, r, 5));
        }""",
        some.tolist(),
    )
    for row, five in zip(some, found, strict=True):
        distance2 = np.square(rows.astype(int) - row).sum(axis=1)
        assert five == np.argsort(distance2, kind="stable")[:5].tolist()


def as_mnist(page, inks):
    """Pictures of 280 x 280 levels, normalised in the page."""
    texts = [
        base64.b64encode(np.uint8(ink).tobytes()).decode() for ink in inks
    ]
    found = page.evaluate(
        """texts => texts.map(text => {
          const ink = Uint8Array.from(atob(text), a => a.charCodeAt(0));
          return Array.from(models.normalise(ink, 280));
        })""",
        texts,
    )
    return np.reshape(found, (-1, 28, 28))


def mean_under(ink, n, axis):
    """Means of n equal parts of an axis, by the integral of the ink."""
    total = np.insert(np.cumsum(ink, axis=axis), 0, 0, axis=axis)
    ends = np.linspace(0, ink.shape[axis], n + 1)
    at = np.apply_along_axis(
        lambda line: np.interp(ends, np.arange(len(line)), line), axis, total
    )
    return np.diff(at, axis=axis) * n / ink.shape[axis]


def normalised(ink):
    """As MNIST's digits are, by NumPy and SciPy."""
    rows, columns = np.nonzero(ink)
    cut = ink[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    size = np.rint(np.array(cut.shape) * 20 / max(cut.shape)).astype(int)
    small = cut.astype(float)
    for axis, n in enumerate(np.maximum(size, 1)):
        small = mean_under(small, n, axis)
    field = np.zeros((68, 68))
    field[24 : 24 + len(small), 24 : 24 + small.shape[1]] = small
    move = np.rint(34 - np.array(center_of_mass(field)))
    return shift(field, move, order=0)[20:48, 20:48]


@pytest.mark.slow
def test_strokes_are_centred_and_scaled_as_by_numpy(visit):
    page, rng, inks = visit("draw"), np.random.default_rng(2), []
    x, y = np.meshgrid(np.arange(280), np.arange(280))
    for _ in range(12):
        ink = np.zeros((280, 280))
        a, b = rng.uniform(20, 260, (2, 2))
        for px, py in np.linspace(a, b, 60):
            gap = np.hypot(x - px, y - py)
            ink = np.maximum(ink, np.clip(13 - gap, 0, 1))
        inks.append(np.rint(255 * ink))
    for ink, found in zip(inks, as_mnist(page, inks), strict=True):
        np.testing.assert_allclose(found, normalised(ink), rtol=0, atol=0.51)
        rows, columns = np.nonzero(found)
        assert max(np.ptp(rows), np.ptp(columns)) == 19
    blank = "models.normalise(new Uint8Array(100), 10)"
    assert page.evaluate(blank) is None


@pytest.mark.slow
def test_digits_of_mnist_are_left_as_they_are(visit, test_digits):
    images = test_digits.reshape(-1, 28, 28)
    large = images.repeat(10, axis=1).repeat(10, axis=2)
    found = as_mnist(visit("draw"), large)
    same = np.abs(found - images.astype(int)).max(axis=(1, 2)) <= 1
    assert same.sum() >= 98  # a few boxes have 19 pixels; a tie may round


SAMPLE = "() => document.querySelector('.reading').textContent"


@pytest.mark.slow
def test_a_digit_is_drawn_read_and_cleared(visit):
    page = visit("draw", viewport={"width": 1280, "height": 900})
    box = page.locator(".pad").bounding_box()
    middle = box["x"] + box["width"] / 2
    page.mouse.move(middle, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(middle, box["y"] + box["height"] - 40, steps=10)
    page.mouse.up()
    reading = page.locator(".reading")
    assert re.fullmatch(
        r"Lesson 7 reads 1 \(.*\), lesson 8 reads 1 \(.*\)\.",
        reading.text_content(),
    )
    assert page.locator(".nearest figcaption").all_text_contents() == ["1"] * 5
    words = page.locator(".density .words").all_text_contents()
    assert len(words) == 2
    assert all(re.search("likely than .* test digits?", w) for w in words)
    page.locator(".clear").click()
    assert reading.text_content() == "Nothing is drawn."
    assert not page.locator(".results").is_visible()
    page.mouse.click(middle, box["y"] + 40)  # a dot
    assert reading.text_content().startswith("Lesson 7 reads")


@pytest.mark.slow
def test_the_lower_half_follows_its_controls_by_keyboard(visit):
    page = visit("draw")
    look = """() => [...document.querySelectorAll('.half canvas')].map(
        canvas => canvas.toDataURL())"""
    page.get_by_role("button", name="a test digit: 4").focus()
    page.keyboard.press("Enter")
    assert "reads 4" in page.evaluate(SAMPLE)
    first = page.evaluate(look)
    assert len(set(first)) == 5
    page.locator(".again").press("Enter")
    second = page.evaluate(look)
    assert second[0] == first[0]  # the best guess
    assert all(a != b for a, b in zip(first[1:], second[1:], strict=True))
    page.locator("[name=temperature]").press("Home")
    assert set(page.evaluate(look)) == {first[0]}
    assert page.locator("output").text_content() == "0.0"
    page.locator("[name=noise]").press("Space")
    assert set(page.evaluate(look)) == {first[0]}  # at temperature 0
    page.locator("[name=class]").select_option("9")
    assert page.locator(".as").text_content() == "as a 9"
    assert page.evaluate(look)[0] != first[0]


@pytest.mark.slow
def test_words_for_shares(visit):
    page = visit("draw")
    said = page.evaluate(
        "[0.5, 0.996, 0.99996, 1].map(draw.percent).concat("
        "[0, 0.001, 0.03, 0.6, 1].map(draw.place))"
    )
    assert said == [
        "50 %",
        "> 99 %",
        "100 %",
        "100 %",
        "less likely than any test digit",
        "less likely than nearly all test digits",
        "less likely than 97 of 100 test digits",
        "more likely than 60 of 100 test digits",
        "more likely than any test digit",
    ]


def play_round(page):
    """Answer a warm-up and ten pairs by keys; names, and how often fooled."""
    names, fooled = [], 0
    for turn in range(20):
        page.keyboard.press(["ArrowLeft", "ArrowRight"][turn % 2])
        answer = page.locator("#which .answer").text_content()
        counts = "Pair" in page.locator(".turn").text_content()
        if counts:
            names.append(re.search("“(.*)”", answer)[1])
            fooled += answer.startswith("Fooled")
        page.keyboard.press("Enter")  # Next has the focus
        if page.locator(".count").is_visible():
            return names, fooled
    raise AssertionError("no end after 20 pairs")


def tally(page):
    lines = page.locator("#which tbody tr").all()
    return {
        line.locator("th").text_content(): tuple(
            int(cell) for cell in line.locator("td").all_text_contents()[:2]
        )
        for line in lines
    }


@pytest.mark.slow
def test_ten_pairs_are_played_by_keys_and_counted(visit):
    page = visit("which")
    assert "warm up" in page.locator(".turn").text_content()
    names, fooled = play_round(page)
    assert len(set(names)) == len(names) == 10
    score = page.locator(".score").text_content()
    assert f"in {fooled} of 10 pairs" in score
    counted = tally(page)
    assert set(counted) == set(names)
    assert sum(taken for _, taken in counted.values()) == fooled
    page.reload()
    page.wait_for_selector("#which[data-ready=yes]")
    assert "Pair 1 of 10" in page.locator(".turn").text_content()
    play_round(page)
    assert sum(shown for shown, _ in tally(page).values()) == 20
    page.locator("[name=tone]").check()  # counted apart
    play_round(page)
    assert sum(shown for shown, _ in tally(page).values()) == 10
    page.locator(".forget").click()
    kept = "localStorage.getItem('which-one-did-a-person-write')"
    assert page.evaluate(kept) == "{}"


@pytest.mark.slow
def test_a_browser_that_keeps_nothing_still_counts(visit):
    refuse = """Object.defineProperty(window, "localStorage", {
      get() { throw new DOMException("no", "SecurityError"); } });"""
    page = visit("which", script=refuse)
    play_round(page)
    play_round_again = page.locator("#which .again")
    play_round_again.click()
    play_round(page)
    assert sum(shown for shown, _ in tally(page).values()) == 20


@pytest.mark.slow
def test_pairs_are_fair_and_the_same_for_a_seed(visit):
    page = visit("which")
    deal = """([seed, n]) => {
      const deck = which.pairs(WHICH_DATA.models, play.makeRandom(seed));
      return Array.from({length: n}, () => deck.next().value);
    }"""
    n = 31 * 40
    pairs = page.evaluate(deal, [3, n])
    assert pairs == page.evaluate(deal, [3, n])
    assert pairs != page.evaluate(deal, [4, n])
    names = [pair["model"]["name"] for pair in pairs]
    assert set(np.unique(names, return_counts=True)[1]) == {40}
    assert len(set(names[:31])) == 31
    sides = np.mean([pair["side"] for pair in pairs])
    assert abs(sides - 0.5) < 4 * 0.5 / np.sqrt(n)
    asked = [pair for pair in pairs if pair["model"]["asked"]]
    assert all(p["drawn"] // 4 == p["real"] // 20 for p in asked)
    other = [pair for pair in pairs if not pair["model"]["asked"]]
    assert any(p["drawn"] // 4 != p["real"] // 20 for p in other)
    assert {p["drawn"] for p in pairs} == set(range(40))
    assert {p["real"] for p in pairs} == set(range(200))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["which", "draw"])
@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_pages_are_accessible_and_fit(visit, name, mode, width):
    size = {"width": width, "height": 900}
    page = visit(name, viewport=size, color_scheme=mode)
    page.wait_for_selector(f"html[data-theme={mode}]")
    before = Axe().run(page, context="article")
    assert before.violations_count == 0, before.generate_report()
    if name == "which":
        play_round(page)
        after = Axe().run(page, context="article")
        assert after.violations_count == 0, after.generate_report()
    page.evaluate("scrollTo(9999, 0)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    inside = f"""[...document.querySelectorAll("#{name} *")].every(
      e => e.getBoundingClientRect().right <= {width})"""
    assert page.evaluate(inside)


LOOK = """name => [...document.querySelector(name).getContext("2d")
  .getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"""


@pytest.mark.slow
def test_the_right_answer_is_a_test_digit(visit):
    page = visit("which")
    _, (x, y) = load_mnist()
    real = x[play.first_of_each(y, play.REAL)].reshape(-1, 784)
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
        shown = 255 - np.array(page.evaluate(LOOK, ".choice.real canvas"))
        assert (real == shown).all(axis=1).any()
        page.keyboard.press("Enter")


@pytest.mark.slow
def test_the_page_shows_what_it_computes(visit, models):
    page = visit("draw")
    for digit in range(10):
        page.get_by_role("button", name=f"a test digit: {digit}").click()
        levels = 255 - np.array([page.evaluate(LOOK, ".seen")])
        x = play_models.to_rows(levels)
        joint = play_models.log_joint(play_models.expand(models), x)[:, 0]
        log_p = np.logaddexp.reduce(joint, axis=1)
        bars = page.evaluate(
            """() => [...document.querySelectorAll(".bar")].map(
              bar => Number(bar.style.getPropertyValue("--share")))"""
        )
        shares = np.exp(joint - log_p[:, None]).T
        np.testing.assert_allclose(
            np.reshape(bars, (10, 2)), shares, atol=1e-3
        )
        words = page.locator(".density .words").all_text_contents()
        for said, value, these in zip(
            words, log_p, models["quantiles"], strict=True
        ):
            share = np.mean(these < value)
            assert f"{abs(value):.0f} nats" in said
            n = f"{100 * max(share, 1 - share):.0f} of 100"
            assert (n if n != "100 of 100" else "likely than ") in said
    smooth = page.evaluate(LOOK, ".half figure:nth-child(2) canvas")
    page.locator("[name=noise]").check()
    rough = page.evaluate(LOOK, ".half figure:nth-child(2) canvas")
    # above all on the paper at the edge, of which a smooth draw has no ink
    assert np.std(rough[-28:]) > 10 > np.std(smooth[-28:])
    there_and_back = "Array.from(models.toLevels(models.toRow([0, 7, 255])))"
    assert page.evaluate(there_and_back) == [0, 7, 255]

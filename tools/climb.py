"""README's picture in motion: ten digits that become sharper, by model."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from utils.scores.board import N_SHOWN, Row, unpack

STEPS = {  # models shown
    "one Gaussian",
    "class Gaussians, ridge 3e-06",
    "PPCA, rank 20, no noise",
    "VAE, class mixtures",
    "mixtures of 10, no noise",
    "GAN",
    "mixtures of 100, no noise",
    "flow matching, long",
}
GAP, SCALE, FADE = 4, 2, 4  # pixels, size of a pixel, frames in between


def find_steps(rows: list[dict]) -> list[Row]:
    """Rows of the models shown, from the worst to the best by shapes."""
    found = [Row.from_json(row) for row in rows if row["model"] in STEPS]
    return sorted(found, key=lambda row: -row.scores["shapes"][0])


def mark(steps: list[Row]) -> str:
    """What the picture depends on."""
    text = "".join(row.model + row.samples for row in steps)
    return hashlib.sha256(text.encode()).hexdigest()


def is_fresh(path: Path, steps: list[Row]) -> bool:
    """Whether the file shows these rows (another Pillow packs it anew)."""
    if not path.exists():
        return False
    with Image.open(path) as picture:
        return picture.info.get("rows") == mark(steps)


def draw(digits: np.ndarray, name: str) -> Image.Image:
    """Ten digits in a row, from 0 (paper) to 1, and a name below."""
    wide = np.pad(digits.reshape(10, 28, 28), ((0, 0), (0, 0), (0, GAP)))
    row = np.concatenate(list(wide), axis=1)
    row = np.pad(row, ((GAP, 0), (GAP, 0)))
    levels = 255 - 17 * np.round(15 * row)  # 16 of them, for a small file
    grey = levels.astype(np.uint8)
    picture = Image.new("L", (SCALE * grey.shape[1], SCALE * 44), 255)
    picture.paste(Image.fromarray(grey.repeat(SCALE, 0).repeat(SCALE, 1)))
    font = ImageFont.load_default(9 * SCALE)
    place = picture.width / 2, 38.0 * SCALE
    ImageDraw.Draw(picture).text(place, name, 70, font, anchor="mm")
    return picture


def climb(steps: list[Row]) -> bytes:
    """An animated PNG file; its still picture is the last model's."""
    digits = [unpack(row.samples)[::N_SHOWN] for row in steps]
    frames, durations = [], []
    for k, row in enumerate(steps):
        frames.append(draw(digits[k], row.model))
        durations.append(3000 if k == len(steps) - 1 else 1000)
        for share in np.arange(1, FADE) / FADE if k < len(steps) - 1 else []:
            mixed = (1 - share) * digits[k] + share * digits[k + 1]
            frames.append(draw(mixed, ""))
            durations.append(90)
    text, file = PngInfo(), io.BytesIO()
    text.add_text("rows", mark(steps))
    frames[-1].save(
        file,
        "png",
        save_all=True,
        default_image=True,
        append_images=frames,
        duration=durations,
        loop=0,
        pnginfo=text,
    )
    return file.getvalue()

"""Makes ../../docs/images/seams.jpg: sliding windows, Zellige, and what is between them.

Each model runs twice on the photograph: as a whole, tiled by Zellige; and window by window, as tools do that put their
windows beside each other. Numbers go into the picture and to standard output.

    python3 seams.py [PATH OF zellige]          # needs numpy and pillow
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
PHOTO = HERE.parent / "images" / "chelsea.png"
PICTURE = HERE.parents[1] / "docs" / "images" / "seams.jpg"

WINDOW = 75
PANEL = (450, 300)
ZOOM = 2
MARGIN, GAP, TITLE, CAPTION = 14, 10, 32, 30
INK, SOFT = (28, 36, 48), (91, 100, 114)


@dataclass
class Case:
    """A model, how its windows overlap, and where one looks closer."""

    model: str
    title: str
    windows: str
    scale: int
    border: int
    """Pixels at each side that the model takes off; windows overlap by twice as many."""
    middle: tuple[int, int]
    """Row and column of the result that the enlarged part lies around."""
    gain: int


CASES = [
    Case("animevideo-x4", "animevideo-x4: 18 convolutions, padded with zeros",
         "windows beside each other", 4, 0, (575, 1215), 8),
    Case("cunet-x2", "cunet-x2: squeeze-and-excite, means over the whole image",
         "windows with all the overlap that its convolutions ask for", 2, 18, (460, 400), 24),
]


def run(zellige: str, model: str, values: np.ndarray, *options: str) -> np.ndarray:
    """The model's output for `values`, [1, 3, H, W]."""
    with tempfile.TemporaryDirectory() as folder:
        source, result = Path(folder, "in.npy"), Path(folder, "out.npy")
        np.save(source, np.ascontiguousarray(values))
        file = HERE.parent / model / f"{model}.zlg"
        subprocess.run([zellige, "run", file, "-i", source, "-o", result, *options], check=True)
        return np.load(result)


def sliding(zellige: str, case: Case, values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Window by window, each by the untiled program, put beside each other."""
    height, width = size
    result = np.zeros((1, 3, case.scale * height, case.scale * width), np.float32)
    reach = WINDOW + 2 * case.border
    for y in range(0, height, WINDOW):
        for x in range(0, width, WINDOW):
            window = values[:, :, y:y + reach, x:x + reach]
            top, left = case.scale * y, case.scale * x
            side = case.scale * WINDOW
            result[:, :, top:top + side, left:left + side] = run(zellige, case.model, window, "--untiled")
    return result


def levels(values: np.ndarray) -> np.ndarray:
    """As an 8-bit image, [H, W, 3]."""
    return np.rint(np.clip(values[0], 0, 1) * 255).astype(np.int16).transpose(1, 2, 0)


def photograph(border: int) -> tuple[np.ndarray, tuple[int, int]]:
    """[1, 3, H, W] with mirrored pixels around it, and the size without them: whole windows."""
    pixels = np.asarray(Image.open(PHOTO).convert("RGB"))
    height, width = (side // WINDOW * WINDOW for side in pixels.shape[:2])
    values = (pixels[:height, :width].astype(np.float32) / np.float32(255)).transpose(2, 0, 1)
    around = ((0, 0), (border, border), (border, border))
    return np.pad(values, around, mode="reflect")[None], (height, width)


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size=size)


def row(zellige: str, case: Case) -> Image.Image:
    """The three panels of a case with what is to be said about them."""
    values, size = photograph(case.border)
    tiled = run(zellige, case.model, values)
    untiled = run(zellige, case.model, values, "--untiled")
    windows = sliding(zellige, case, values, size)

    differing = np.count_nonzero(tiled.view(np.uint32) != untiled.view(np.uint32))
    difference = np.abs(levels(windows) - levels(tiled))
    largest = float(np.abs(windows - tiled).max())
    share = 100 * np.mean(difference.max(axis=2) > 0)
    captions = [
        f"{WINDOW} x {WINDOW} {case.windows}",
        f"Zellige, in tiles: {differing} of {tiled.size:,} values differ from the untiled network",
        f"Whole image, difference x {case.gain}: up to {largest:.3f} ({difference.max()} of 255); {share:.1f} % of pixels differ",
    ]
    print(case.title)
    print("\n".join(f"    {caption}" for caption in captions))

    height, width = PANEL[1] // ZOOM, PANEL[0] // ZOOM
    top, left = case.middle[0] - height // 2, case.middle[1] - width // 2
    panels = [enlarged(levels(v)[top:top + height, left:left + width]) for v in (windows, tiled)]
    panels.append(overview(difference * case.gain, (top, left, height, width)))

    image = Image.new("RGB", (2 * MARGIN + 3 * PANEL[0] + 2 * GAP, TITLE + PANEL[1] + CAPTION), "white")
    draw = ImageDraw.Draw(image)
    draw.text((MARGIN, 4), case.title, INK, font(18))
    for i, (panel, caption) in enumerate(zip(panels, captions)):
        x = MARGIN + i * (PANEL[0] + GAP)
        image.paste(panel, (x, TITLE))
        draw.text((x, TITLE + PANEL[1] + 4), caption, SOFT, font(13))
    return image


def enlarged(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.astype(np.uint8)).resize(PANEL, Image.Resampling.NEAREST)


def overview(difference: np.ndarray, part: tuple[int, int, int, int]) -> Image.Image:
    """All of it, dark on white, each pixel the largest of those that it stands for, and a frame around a part."""
    block = difference.shape[0] // PANEL[1]
    largest = difference.max(axis=2).reshape(PANEL[1], block, PANEL[0], block).max(axis=(1, 3))
    image = Image.fromarray(255 - np.minimum(largest, 255).astype(np.uint8)).convert("RGB")
    top, left, height, width = (side // block for side in part)
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, left + width, top + height), outline=(194, 65, 12), width=2)
    draw.rectangle((0, 0, PANEL[0] - 1, PANEL[1] - 1), outline=(200, 200, 200))
    return image


def main() -> None:
    zellige = sys.argv[1] if len(sys.argv) > 1 else "zellige"
    rows = [row(zellige, case) for case in CASES]
    picture = Image.new("RGB", (rows[0].width, MARGIN // 2 + sum(r.height for r in rows)), "white")
    y = MARGIN // 2
    for r in rows:
        picture.paste(r, (0, y))
        y += r.height
    picture.save(PICTURE, quality=88, optimize=True)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()

"""Write the pairs: photographs, and the same at half the size (bicubic with antialiasing, by Pillow).

usage: python prepare.py astronaut.png coffee.png ../images/chelsea.png

The last one is held out.
"""
import sys
from pathlib import Path

from PIL import Image

*train, held_out = map(Path, sys.argv[1:])
for folder, files in ("train", train), ("held-out", [held_out]):
    for file in files:
        image = Image.open(file).convert("RGB")
        w, h = (side // 2 for side in image.size)
        target = image.crop((0, 0, 2 * w, 2 * h))
        for name, picture in ("image", target.resize((w, h), Image.BICUBIC)), ("target", target):
            (Path(folder) / name).mkdir(parents=True, exist_ok=True)
            picture.save(Path(folder) / name / f"{file.stem}.png", optimize=True)

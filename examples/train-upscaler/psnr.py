"""How near pictures come to the photograph, in dB (PSNR over all pixels and channels), bicubic interpolation for comparison.

usage: python psnr.py held-out/image/chelsea.png held-out/target/chelsea.png upscaled.png
"""
import sys

import numpy as np
from PIL import Image

small, target, upscaled = (Image.open(path).convert("RGB") for path in sys.argv[1:])


def psnr(picture: Image.Image) -> float:
    error = np.asarray(picture, np.float64) - np.asarray(target, np.float64)
    return 10 * np.log10(255**2 / (error**2).mean())


print(f"bicubic {psnr(small.resize(target.size, Image.BICUBIC)):.2f} dB, learned {psnr(upscaled):.2f} dB")

"""Resampling."""

from fractions import Fraction
from math import floor

import numpy as np
import onnxruntime
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper

from .case import Case, Draw, Values, arguments, pair_text

# Scales that f32 holds exactly, as ONNX needs them.
SCALES = [0.5, 0.75, 1.25, 1.5, 2, 2, 2.5, 3, 4]
OTHER_SCALES = [0.3, 0.7, 1.3, 1.7, 2.2]


def upsample(draw: Draw, number: int) -> Case | None:
    n, c, h, w = draw.images(), draw.of([1, 2, 3, 8, 17]), draw.extent(), draw.extent()
    mode = ["nearest", "bilinear", "bicubic", "nearest-exact", "bilinear", "bicubic", "nearest"][number % 7]
    smooth = mode in ("bilinear", "bicubic")
    align = smooth and draw.chance(30)
    asymmetric = smooth and not align and draw.chance(30)
    scale = size = None
    if draw.chance(60):
        scales = SCALES if asymmetric or draw.chance(70) else OTHER_SCALES
        y = draw.of(scales)
        scale = [y, y if draw.chance(50) else draw.of(scales)]
        outputs = [floor(h * scale[0]), floor(w * scale[1])]
    else:
        size = outputs = [draw.extent(), draw.extent()]
    if min(outputs) < 1 or max(outputs) > 64:
        return None

    def expected(x: torch.Tensor) -> torch.Tensor:
        if asymmetric and x.requires_grad:
            return by_matrices(x, mode, scale, size)
        if asymmetric:
            return onnx_resize(x, mode, scale, size)
        factors = None if scale is None else [float(s) for s in scale]
        return F.interpolate(x, size, factors, mode, align if smooth else None)

    if not smooth and not is_exact(mode, [h, w], outputs, scale):
        return None
    given = arguments(
        scale=None if scale is None else pair_text(scale),
        size=size,
        mode=mode if mode != "nearest" or draw.chance(50) else None,
        align_corners=True if align else None,
        coordinates="asymmetric" if asymmetric else None,
    )
    return Case(f"upsample(x{given})", expected, {"x": Values((n, c, h, w))})


def is_exact(mode: str, inputs: list[int], outputs: list[int], scale: list | None) -> bool:
    """Whether PyTorch, whose coordinates of `nearest` have 24 bits, picks the pixels that exact coordinates name."""
    offset = Fraction(1, 2) if mode == "nearest-exact" else Fraction(0)
    for axis, (i, o) in enumerate(zip(inputs, outputs)):
        step = Fraction(i, o) if scale is None else 1 / Fraction(scale[axis])
        exact = [min(floor((k + offset) * step), i - 1) for k in range(o)]
        row = torch.arange(i, dtype=torch.float64).reshape(1, 1, i)
        factor = None if scale is None else float(scale[axis])
        if F.interpolate(row, o if scale is None else None, factor, mode).ravel().tolist() != exact:
            return False
    return True


def by_matrices(x: torch.Tensor, mode: str, scale: list | None, size: list[int] | None) -> torch.Tensor:
    """The same in float64, with gradients: what ONNX's Resize makes of each pixel of a row or a column."""
    matrices = []
    for axis, pixels in enumerate(x.shape[2:]):
        pixel = torch.eye(pixels, dtype=torch.float64).reshape(pixels, 1, pixels, 1)
        factors = None if scale is None else [scale[axis], 1.0]
        resized = onnx_resize(pixel, mode, factors, None if size is None else [size[axis], 1])
        matrices.append(resized.reshape(pixels, -1).to(torch.float64))
    return torch.einsum("nchw,hi,wj->ncij", x, *matrices)


def onnx_resize(x: torch.Tensor, mode: str, scale: list | None, size: list[int] | None) -> torch.Tensor:
    """ONNX's Resize with asymmetric coordinates, which PyTorch does not have; computed in f32."""
    attributes = {
        "mode": {"bilinear": "linear", "bicubic": "cubic"}[mode],
        "coordinate_transformation_mode": "asymmetric",
        "cubic_coeff_a": -0.75,
    }
    if scale is not None:
        names = ["x", "", "factors"]
        factors = helper.make_tensor("factors", TensorProto.FLOAT, [4], [1.0, 1.0, *scale])
    else:
        names = ["x", "", "", "factors"]
        factors = helper.make_tensor("factors", TensorProto.INT64, [4], [*x.shape[:2], *size])
    node = helper.make_node("Resize", names, ["y"], **attributes)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [node], "g", [value("x", TensorProto.FLOAT, list(x.shape))], [value("y", TensorProto.FLOAT, None)], [factors]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(None, {"x": x.numpy().astype(np.float32)})
    return torch.from_numpy(y)


def pixel_shuffle(draw: Draw, number: int) -> Case:
    n, c, h, w = draw.images(), draw.of([1, 2, 3, 5]), draw.extent(), draw.extent()
    factor = draw.of([1, 2, 2, 3, 4])
    x = Values((n, c * factor**2, h, w))
    return Case(f"pixel_shuffle(x, {factor})", lambda x: F.pixel_shuffle(x, factor), {"x": x})


def pixel_unshuffle(draw: Draw, number: int) -> Case:
    n, c, h, w = draw.images(), draw.of([1, 2, 3, 5]), draw.between(1, 9), draw.between(1, 9)
    factor = draw.of([1, 2, 2, 3, 4])
    x = Values((n, c, h * factor, w * factor))
    return Case(f"pixel_unshuffle(x, {factor})", lambda x: F.pixel_unshuffle(x, factor), {"x": x})


OPS = {"upsample": upsample, "pixel_shuffle": pixel_shuffle, "pixel_unshuffle": pixel_unshuffle}

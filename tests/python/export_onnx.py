"""Compute what a model should give, with onnxruntime: data that tests compare with.

    zellige dump MODEL.zlg --bind H=48,W=64 --format json -o graph.json
    python export_onnx.py graph.json DIR [--seed N] [--weights FILE.safetensors] [--input NAME=FILE.npy] [--onnx FILE.onnx]

The graph is rebuilt op by op as an ONNX model, which onnxruntime runs without optimisations. DIR then has

    weights.safetensors   parameters drawn from the seed, unless --weights gave them
    NAME.npy              each input, drawn from the seed unless --input gave it
    NAME.expected.npy     each output

so that `zellige run MODEL.zlg --weights DIR/weights.safetensors -i NAME=DIR/NAME.npy -o NAME=…` can be compared
with it, within 1e-4: the order of summation is onnxruntime's own.

Tests read what is in the repository and never run this script; whoever regenerates data needs
numpy, onnx, onnxruntime and safetensors.
"""

import argparse
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file, save_file

OPSET = 17
IR_VERSION = 8


# The graph ------------------------------------------------------------------------------------------------------------


@dataclass
class Tensor:
    """A named tensor and its shape."""

    name: str
    shape: list[int]


@dataclass
class Output:
    """An output: its name, the value that is given out, and the shape that it is declared with."""

    name: str
    value: str
    shape: list[int]


@dataclass
class Op:
    """An operation: its name in the language, what it reads, what it gives."""

    kind: str
    inputs: list[str]
    params: list[str]
    output: str
    attrs: dict
    shape: list[int]


@dataclass
class Graph:
    """A graph whose sizes are all known."""

    name: str
    inputs: list[Tensor]
    params: list[Tensor]
    constants: dict[str, np.ndarray]
    ops: list[Op]
    outputs: list[Output]


def shape_of(type_text: str) -> list[int]:
    """`f32[1, 3, 48, 64]` as a list; sizes must be bound."""
    match = re.fullmatch(r"f32\[([\d, ]*)\]", type_text)
    if not match:
        raise SystemExit(f"{type_text}: expected an f32 tensor of known sizes (dump the graph with --bind)")
    return [int(size) for size in match[1].split(",")]


def floats(values: list, shape: list[int]) -> np.ndarray:
    """Numbers as an array; those that JSON has none for are strings (`"inf"`)."""
    return np.array([float(v) for v in values], np.float32).reshape(shape)


def read_graph(text: str) -> Graph:
    """The graph of `zellige dump --format json`."""
    data = json.loads(text)
    return Graph(
        name=data["name"],
        inputs=[Tensor(t["name"], shape_of(t["type"])) for t in data["inputs"]],
        params=[Tensor(p["name"], p["dims"]) for p in data["params"]],
        constants={c["name"]: floats(c["data"], shape_of(c["type"])) for c in data["constants"]},
        ops=[Op(o["op"], o["inputs"], o["params"], o["name"], o["attrs"], shape_of(o["type"])) for o in data["ops"]],
        outputs=[Output(o["name"], o["value"], shape_of(o["type"])) for o in data["outputs"]],
    )


# ONNX -----------------------------------------------------------------------------------------------------------------


@dataclass
class Onnx:
    """An ONNX graph in the making."""

    params: dict[str, np.ndarray]
    nodes: list = field(default_factory=list)
    initializers: dict[str, np.ndarray] = field(default_factory=dict)

    def node(self, kind: str, inputs: list[str], output: str, **attrs) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attrs))

    def operand(self, output: str, role: str, values, dtype) -> str:
        """A constant operand of the op that gives `output`."""
        name = f"{output}/{role}"
        self.initializers[name] = np.array(values, dtype)
        return name

    def parameter(self, name: str, shape: list[int] | None = None) -> str:
        values = self.params[name]
        self.initializers[name] = values if shape is None else values.reshape(shape)
        return name


Builder = Callable[[Onnx, Op], None]
BUILDERS: dict[str, Builder] = {}


def builds(*kinds: str) -> Callable[[Builder], Builder]:
    """Registers what translates an op."""

    def register(builder: Builder) -> Builder:
        BUILDERS.update(dict.fromkeys(kinds, builder))
        return builder

    return register


def window(attrs: dict) -> dict:
    """Kernel, stride and padding; both languages list the sides as top, left, bottom, right."""
    return {"kernel_shape": attrs["kernel"], "strides": attrs["stride"], "pads": attrs["pad"]}


@builds("conv2d")
def conv2d(b: Onnx, op: Op) -> None:
    params = [b.parameter(p) for p in op.params]
    extra = {"dilations": op.attrs["dilation"], "group": op.attrs["groups"]}
    b.node("Conv", op.inputs + params, op.output, **window(op.attrs), **extra)


@builds("conv_transpose2d")
def conv_transpose2d(b: Onnx, op: Op) -> None:
    params = [b.parameter(p) for p in op.params]
    extra = {"dilations": op.attrs["dilation"], "group": op.attrs["groups"], "output_padding": op.attrs["output_pad"]}
    b.node("ConvTranspose", op.inputs + params, op.output, **window(op.attrs), **extra)


@builds("max_pool2d")
def max_pool2d(b: Onnx, op: Op) -> None:
    extra = {"dilations": op.attrs.get("dilation", [1, 1]), "ceil_mode": int(op.attrs.get("ceil_mode", False))}
    b.node("MaxPool", op.inputs, op.output, **window(op.attrs), **extra)


@builds("avg_pool2d")
def avg_pool2d(b: Onnx, op: Op) -> None:
    extra = {"ceil_mode": int(op.attrs.get("ceil_mode", False)), "count_include_pad": int(op.attrs["count_include_pad"])}
    b.node("AveragePool", op.inputs, op.output, **window(op.attrs), **extra)


@builds("upsample")
def upsample(b: Onnx, op: Op) -> None:
    a = op.attrs
    kind = a.get("mode", "nearest")
    mode = {"mode": {"bilinear": "linear", "bicubic": "cubic"}.get(kind, "nearest"), "cubic_coeff_a": -0.75}
    if kind == "nearest":
        coordinates = "asymmetric"
    elif a.get("align_corners"):
        coordinates = "align_corners"
    else:
        coordinates = a.get("coordinates", "half_pixel")
    mode |= {"coordinate_transformation_mode": coordinates, "nearest_mode": "floor"}
    if "scale" in a:
        scales = b.operand(op.output, "scales", [1, 1, *a["scale"]], np.float32)
        b.node("Resize", [*op.inputs, "", scales], op.output, **mode)
    else:
        sizes = b.operand(op.output, "sizes", op.shape, np.int64)
        b.node("Resize", [*op.inputs, "", "", sizes], op.output, **mode)


@builds("slice")
def channel_slice(b: Onnx, op: Op) -> None:
    bounds = {"starts": op.attrs["from"], "ends": op.attrs["to"], "axes": 1}
    operands = [b.operand(op.output, name, [value], np.int64) for name, value in bounds.items()]
    b.node("Slice", [*op.inputs, *operands], op.output)


@builds("pixel_shuffle")
def pixel_shuffle(b: Onnx, op: Op) -> None:
    b.node("DepthToSpace", op.inputs, op.output, blocksize=op.attrs["factor"], mode="CRD")


@builds("pixel_unshuffle")
def pixel_unshuffle(b: Onnx, op: Op) -> None:
    # SpaceToDepth has the phases before the channels.
    (n, c, h, w), r = op.shape, op.attrs["factor"]
    split, phases = f"{op.output}/split", f"{op.output}/phases"
    b.node("Reshape", [*op.inputs, b.operand(op.output, "blocks", [n, c // r**2, h, r, w, r], np.int64)], split)
    b.node("Transpose", [split], phases, perm=[0, 1, 3, 5, 2, 4])
    b.node("Reshape", [phases, b.operand(op.output, "shape", op.shape, np.int64)], op.output)


@builds("concat")
def concat(b: Onnx, op: Op) -> None:
    b.node("Concat", op.inputs, op.output, axis=1)


@builds("crop")
def crop(b: Onnx, op: Op) -> None:
    a = op.attrs
    # An end counts from behind; nothing taken off there is written as an end beyond all sizes.
    ends = [-a["bottom"] or np.iinfo(np.int64).max, -a["right"] or np.iinfo(np.int64).max]
    starts = b.operand(op.output, "starts", [a["top"], a["left"]], np.int64)
    ends = b.operand(op.output, "ends", ends, np.int64)
    axes = b.operand(op.output, "axes", [2, 3], np.int64)
    b.node("Slice", [*op.inputs, starts, ends, axes], op.output)


@builds("pad")
def pad(b: Onnx, op: Op) -> None:
    a = op.attrs
    pads = b.operand(op.output, "pads", [0, 0, a["top"], a["left"], 0, 0, a["bottom"], a["right"]], np.int64)
    b.node("Pad", [*op.inputs, pads], op.output, mode="constant")


@builds("leaky_relu")
def leaky_relu(b: Onnx, op: Op) -> None:
    b.node("LeakyRelu", op.inputs, op.output, alpha=op.attrs["slope"])


@builds("prelu")
def prelu(b: Onnx, op: Op) -> None:
    b.node("PRelu", [*op.inputs, b.parameter(op.params[0], [-1, 1, 1])], op.output)


@builds("clip")
def clip(b: Onnx, op: Op) -> None:
    bounds = [b.operand(op.output, side, float(op.attrs[side]), np.float32) for side in ("min", "max")]
    b.node("Clip", op.inputs + bounds, op.output)


@builds("global_avg_pool")
def global_avg_pool(b: Onnx, op: Op) -> None:
    # In f64: onnxruntime adds f32 one after the other, which is off by more than the tolerance over thousands of pixels.
    wide, mean = f"{op.output}/wide", f"{op.output}/mean"
    b.node("Cast", op.inputs, wide, to=TensorProto.DOUBLE)
    b.node("ReduceMean", [wide], mean, axes=[2, 3], keepdims=1)
    b.node("Cast", [mean], op.output, to=TensorProto.FLOAT)


SAME = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
}


@builds(*SAME)
def same(b: Onnx, op: Op) -> None:
    """Ops without attributes that ONNX has under another name."""
    b.node(SAME[op.kind], op.inputs, op.output)


def to_onnx(graph: Graph, params: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The graph as an ONNX model; its values keep their names, its outputs get those that they are declared with."""
    builder = Onnx(params, initializers=dict(graph.constants))
    for op in graph.ops:
        if op.kind not in BUILDERS:
            raise SystemExit(f"{op.output}: `{op.kind}` has no translation here")
        BUILDERS[op.kind](builder, op)
    # A value and an output may have one name.
    outputs = [(f"output/{o.name}", o) for o in graph.outputs]
    for name, output in outputs:
        builder.node("Identity", [output.value], name)
    proto = helper.make_graph(
        builder.nodes,
        graph.name,
        [helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.shape) for t in graph.inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, o.shape) for name, o in outputs],
        [numpy_helper.from_array(values, name) for name, values in builder.initializers.items()],
    )
    model = helper.make_model(proto, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Outputs as onnxruntime computes them, one node after the other."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


# Data -----------------------------------------------------------------------------------------------------------------


def random_parameter(rng: np.random.Generator, shape: list[int]) -> np.ndarray:
    """Normal values that neither grow nor vanish through many layers."""
    scale = 0.25 if len(shape) == 1 else 1 / np.sqrt(np.prod(shape[1:]))
    return (rng.standard_normal(shape) * scale).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=Path, help="JSON of the graph, all sizes bound")
    parser.add_argument("dir", type=Path, help="folder to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--weights", type=Path, help="parameters; drawn from the seed if not given")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=FILE", help="an input as NPY")
    parser.add_argument("--onnx", type=Path, help="write the ONNX model, parameters included, to this file")
    args = parser.parse_args()

    graph = read_graph(args.graph.read_text())
    rng = np.random.default_rng(args.seed)
    args.dir.mkdir(parents=True, exist_ok=True)

    if args.weights:
        params = load_file(args.weights)
    else:
        params = {p.name: random_parameter(rng, p.shape) for p in graph.params}
        save_file(params, args.dir / "weights.safetensors")

    given = {name: np.load(file) for name, _, file in (text.partition("=") for text in args.input)}
    inputs = {t.name: given.get(t.name, rng.random(t.shape, np.float32)) for t in graph.inputs}
    for name, values in inputs.items():
        np.save(args.dir / f"{name}.npy", values)

    model = to_onnx(graph, params)
    if args.onnx:
        onnx.save(model, args.onnx)
    for output, values in zip(graph.outputs, run(model, inputs)):
        if list(values.shape) != output.shape:
            raise SystemExit(f"{output.name}: declared {output.shape}, computed {list(values.shape)}")
        np.save(args.dir / f"{output.name}.expected.npy", values)
        print(f"{output.name}: {output.shape}, {values.min():.4f} to {values.max():.4f}")


if __name__ == "__main__":
    main()

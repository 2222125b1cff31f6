"""Compute what random models should give, with onnxruntime: the data that the test `onnxruntime` compares with.

    cargo run -p zellige-tests --release --bin export-models -- DIR
    python random_models.py DIR ../data/onnxruntime/expected.json

DIR has `ops.json` and a folder for each model. Kept are, for each output, its largest magnitude, the mean of all magnitudes, and
a few values at fixed positions.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from export_onnx import read_graph, run, to_onnx

SAMPLES = 64


def kept(name: str, values: np.ndarray) -> dict:
    """What is kept of an output; positions as in tests/src/onnxruntime.rs."""
    flat = values.ravel()
    if not np.isfinite(flat).all():
        raise SystemExit(f"{name}: not finite")
    positions = np.arange(min(SAMPLES, flat.size)) * 7919 % flat.size
    return {
        "name": name,
        "shape": list(values.shape),
        "largest": float(np.abs(flat).max()),
        "mean": float(np.abs(flat).mean(dtype=np.float64)),
        # The shortest text that gives the same f32.
        "values": [float(np.format_float_scientific(v)) for v in flat[positions]],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir", type=Path, help="what export-models wrote")
    parser.add_argument("out", type=Path, help="file to write")
    args = parser.parse_args()

    models = []
    for folder in sorted(path for path in args.dir.iterdir() if path.is_dir()):
        graph = read_graph((folder / "graph.json").read_text())
        model = to_onnx(graph, load_file(folder / "weights.safetensors"))
        outputs = run(model, load_file(folder / "inputs.safetensors"))
        kept_outputs = [kept(o.name, values) for o, values in zip(graph.outputs, outputs)]
        models.append({"model": (folder / "hash").read_text(), "outputs": kept_outputs})
    ops = json.loads((args.dir / "ops.json").read_text())
    # A model a line, so that differences can be looked at.
    lines = ",\n".join(json.dumps(model, separators=(",", ":")) for model in models)
    args.out.write_text(f'{{"ops":{json.dumps(ops)},"models":[\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()

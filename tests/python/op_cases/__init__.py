"""Cases for every op with what PyTorch computes for them (onnxruntime where PyTorch has no such thing).

    pip install torch onnx onnxruntime
    cd tests/python && python -m op_cases ../data/ops [OP ...]

writes a file for each op; the test `ops` reads them, and the test `gradients` those of `--gradients ../data/gradients`. A case is a model in Zellige's language, the shapes of its inputs
and parameters, how their values are drawn, and the output in float64, rounded. Everything follows from the op's name
and the number of the case, so that a second run writes the same files. A family of ops is a module; `case.py` has what they
share.
"""

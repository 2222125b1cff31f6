"""Gradients: cases of ops with what PyTorch's autograd gives for their inputs and parameters, in float64."""

from dataclasses import replace

import torch

from .case import Case, Values, kept

# Values of a gradient that are kept.
MOST_VALUES = 32
# Ops whose gradient is 0 where a mean is of one value, and what rounding leaves of that.
NORMS = {"instance_norm", "group_norm", "layer_norm"}
ROUNDING = 1e-12
# Ops whose gradient is 0 everywhere.
WITHOUT = {"argmax"}
# Ops that choose among values: every third case has many that are equal, and some have infinities and NaNs.
CHOOSING = {"max_pool2d", "global_max_pool"}


def is_left_out(op: str, case: Case) -> bool:
    shapes = [values.shape for values in case.inputs.values()]
    # Images alone are not summed over, and what overflows in float32 has no gradient there.
    one_for_all = any(s[0] < max(t[0] for t in shapes) and s[2:] != (1, 1) for s in shapes)
    overflows = op == "exp" and any(values.high > 88 for values in case.inputs.values())
    return op in WITHOUT or one_for_all or overflows


def with_whole_numbers(case: Case) -> Case:
    """Bends of functions lie at whole numbers; gradients of infinities are left to whoever defines them."""

    def plain(tensors: dict[str, Values]) -> dict[str, Values]:
        return {name: replace(v, kind="whole") if v.kind == "odd" else v for name, v in tensors.items()}

    return replace(case, inputs=plain(case.inputs), parameters=plain(case.parameters))


def with_ties(case: Case) -> Case:
    inputs = {name: replace(v, low=-2.0, high=2.0, kind="whole") for name, v in case.inputs.items()}
    return replace(case, inputs=inputs)


def to_json(case: Case, op: str, number: int) -> dict:
    """The case, and the gradients of the sum of `y * dy`, with `dy` drawn as another input."""
    if op.removeprefix("d.") not in CHOOSING:
        case = with_whole_numbers(case)
    elif number % 3 == 1:
        case = with_ties(case)
    written = case.to_json(op, number)
    del written["output"]
    tensors = {
        name: values.draw(f"{op}/{number}/{name}").requires_grad_(not name.startswith("running_"))
        for name, values in (case.inputs | case.parameters).items()
    }
    y = case.expected(**tensors)
    dy = Values(tuple(y.shape)).draw(f"{op}/{number}/dy")
    names = [name for name, tensor in tensors.items() if tensor.requires_grad]
    gradients = torch.autograd.grad((y * dy).sum(), [tensors[name] for name in names], allow_unused=True)
    if op.removeprefix("d.") in NORMS:
        gradients = [torch.where(gradient.abs() < ROUNDING, 0.0, gradient) for gradient in gradients]
    written["gradients"] = [
        {"name": name} | kept(gradient if name in case.inputs else four_dimensional(gradient), MOST_VALUES)
        for name, gradient in zip(names, gradients)
        if gradient is not None
    ]
    return written


def four_dimensional(gradient: torch.Tensor) -> torch.Tensor:
    """Of a parameter with a value a channel as those, of weights as rows of channels."""
    return gradient[None, :, None, None] if gradient.dim() == 1 else gradient.flatten(1)[:, :, None, None]

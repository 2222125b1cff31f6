"""Draws the cases of all ops, or of those that are named, and writes them."""

import argparse
import json
from pathlib import Path

from . import conv, elementwise, gradient, loss, norm, pool, reduce, resample, shape
from .case import Case, Draw

# Cases of each op, and of those with many attributes.
CASES = 28
CASES_OF = {"upsample": 63, "conv2d": 42, "pow": 42}
# Cases of gradients.
CASES_OF_GRADIENTS = 20
CASES_OF_GRADIENTS_OF = dict.fromkeys(loss.OPS, 24) | {
    "conv2d": 30, "conv_transpose2d": 26, "max_pool2d": 36, "avg_pool2d": 28, "upsample": 49, "pad": 28,
}
# Most draws that are given up since an op does not take them.
MOST_DRAWS = 4000

FAMILIES = [conv, pool, resample, shape, elementwise, norm, reduce, loss]


def cases(op: str, draw_case, gradients: bool) -> list[dict]:
    """`draw_case(draw, number)` gives a case, or None where what it drew does not fit."""
    count = CASES_OF_GRADIENTS_OF.get(op, CASES_OF_GRADIENTS) if gradients else CASES_OF.get(op, CASES)
    seed = f"d.{op}" if gradients else op
    found: list[dict] = []
    models: set[str] = set()
    for attempt in range(MOST_DRAWS):
        case: Case | None = draw_case(Draw(f"{seed}/{attempt}"), len(found))
        if case is None:
            continue
        if gradients and gradient.is_left_out(op, case):
            # Another mode or the like is drawn in its place.
            case = draw_case(Draw(f"{seed}/{attempt}"), 0)
            if case is None or gradient.is_left_out(op, case):
                continue
        written = gradient.to_json(case, seed, len(found)) if gradients else case.to_json(op, len(found))
        if written["model"] not in models:
            models.add(written["model"])
            found.append(written)
        if len(found) == count:
            return found
    raise SystemExit(f"{op}: {len(found)} cases in {MOST_DRAWS} draws")


def main() -> None:
    parser = argparse.ArgumentParser(prog="op_cases", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("ops", nargs="*", help="only these")
    parser.add_argument("--gradients", action="store_true", help="of their gradients, in place of their outputs")
    args = parser.parse_args()

    ops = {op: draw for family in FAMILIES for op, draw in family.OPS.items()}
    for op in args.ops or ops:
        if args.gradients and op in gradient.WITHOUT:
            continue
        # A case a line, so that differences can be looked at.
        lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases(op, ops[op], args.gradients))
        (args.out / f"{op}.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()

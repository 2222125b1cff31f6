use expect_test::expect;

use super::refused;
use crate::program::{Data, Packing, Role, Source, WeightId, sample};

#[test]
fn machine() {
    refused(
        sample::two_sections(),
        &expect!["`clock` of a machine is a positive finite number, not 0"],
        |p| p.machine.clock = 0.0,
    );
}

#[test]
fn sizes_are_positive_and_do_not_overflow() {
    refused(
        sample::two_sections(),
        &expect!["tensor @t0 `image`: the height is 0, not between 1 and 1099511627776"],
        |p| p.tensors[0].dims.h = 0,
    );
    refused(
        sample::two_sections(),
        &expect!["tensor @t0 `image`: the width is 18446744073709551615, not between 1 and 1099511627776"],
        |p| p.tensors[0].dims.w = u64::MAX,
    );
    refused(sample::two_sections(), &expect!["tensor @t0 `image`: its size in bytes overflows"], |p| {
        p.tensors[0].dims.h = 1 << 40;
        p.tensors[0].dims.w = 1 << 40;
    });
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: the number of images is 0, not between 1 and 1099511627776"],
        |p| p.sections[0].images = 0,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 1 `s1`, buffer %b0 `features`: the number of channels is 0, not between 1 and 1099511627776"
        ],
        |p| p.sections[1].buffers[0].channels = 0,
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 1 `s1`, buffer %b0 `features`: the number of rows is 0, not between 1 and 1099511627776"
        ],
        |p| p.sections[1].buffers[0].rows = 0,
    );
    refused(
        sample::two_sections(),
        &expect!["section 1 `s1`, buffer %b0 `features`: its size in bytes overflows"],
        |p| {
            p.sections[1].buffers[0].rows = 1 << 40;
            p.sections[1].buffers[0].cols = 1 << 40;
        },
    );
    refused(
        sample::two_sections(),
        &expect![
            "section 1 `s1`, buffer %b1 `pooled`: the width of the tensor is 0, not between 1 and 1099511627776"
        ],
        |p| p.sections[1].buffers[1].extent[1] = 0,
    );
    refused(
        sample::every_instruction(),
        &expect!["accumulator @a0 `pooled`: the number of channels is 0, not between 1 and 1099511627776"],
        |p| p.accumulators[0].channels = 0,
    );
    refused(
        sample::every_instruction(),
        &expect![
            "accumulator @a0 `pooled`: the number of grains is 2147483648, not between 1 and 2147483647"
        ],
        |p| p.accumulators[0].extent = [8, 1 << 34],
    );
    refused(
        sample::every_instruction(),
        &expect!["accumulator @a0 `pooled`: its size in bytes overflows"],
        |p| {
            p.accumulators[0].channels = 1 << 40;
            p.accumulators[0].images = 1 << 40;
        },
    );
    // One row of grains more than a sum can hold.
    refused(
        sample::every_instruction(),
        &expect![
            "accumulator @a0 `pooled`: the number of grains is 2147483648, not between 1 and 2147483647"
        ],
        |p| p.accumulators[0].extent = [8 << 15, 8 << 16],
    );
}

#[test]
fn lanes() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, buffer %b0 `image`: 3 lanes, not 1, 2, 4, 8 or 16"],
        |p| p.sections[0].buffers[0].lanes = 3,
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`, buffer %b0 `image`: 0 lanes, not 1, 2, 4, 8 or 16"],
        |p| p.sections[0].buffers[0].lanes = 0,
    );
    refused(sample::two_sections(), &expect!["tensor @t1 `features`: 32 lanes, not 1, 2, 4, 8 or 16"], |p| {
        p.tensors[1].lanes = 32
    });
    refused(
        sample::two_sections(),
        &expect!["tensor @t0 `image`: 4 lanes; inputs, outputs and constants have 1"],
        |p| p.tensors[0].lanes = 4,
    );
}

#[test]
fn constants() {
    refused(sample::every_instruction(), &expect!["tensor @t4 `scales`: there is no @w9"], |p| {
        p.tensors[4].role = Role::Constant(WeightId(9));
    });
    refused(
        sample::every_instruction(),
        &expect!["tensor @t4 `scales`: @w0 is not a plain weight of as many values"],
        |p| {
            p.tensors[4].role = Role::Constant(WeightId(0));
        },
    );
    refused(
        sample::every_instruction(),
        &expect!["tensor @t4 `scales`: @w4 is not a plain weight of as many values"],
        |p| p.tensors[4].dims.n = 2,
    );
}

#[test]
fn weights() {
    refused(
        sample::two_sections(),
        &expect!["weight @w0 `conv.weight`: its values are at 0 + 2160, the data has 0 bytes"],
        |p| p.data = Data::default(),
    );
    refused(
        sample::two_sections(),
        &expect![
            "weight @w1 `conv.bias`: its values are at 18446744073709551615 + 80, the data has 2240 bytes"
        ],
        |p| p.weights[1].source = Source::Offset(u64::MAX),
    );
    refused(
        sample::two_sections(),
        &expect!["weight @w1 `conv.bias`: its values are at 2164 + 80, the data has 2240 bytes"],
        |p| p.weights[1].source = Source::Offset(2164),
    );
    refused(
        sample::two_sections(),
        &expect!["weight @w1 `conv.bias`: 19 values are given for a shape of 20"],
        |p| {
            p.weights[1].source = Source::Inline(vec![0.0; 19]);
        },
    );
    refused(
        sample::two_sections(),
        &expect!["weight @w0 `conv.weight`: [20, 3, 3, 3] cannot be packed as Conv { groups: 3 }"],
        |p| {
            p.weights[0].packing = Packing::Conv { groups: 3 };
        },
    );
    refused(
        sample::two_sections(),
        &expect!["weight @w0 `conv.weight`: [20, 3, 3, 3] cannot be packed as Conv { groups: 0 }"],
        |p| {
            p.weights[0].packing = Packing::Conv { groups: 0 };
        },
    );
    refused(sample::two_sections(), &expect!["weight @w0 `conv.weight`: its size in bytes overflows"], |p| {
        p.weights[0].dims = vec![1 << 40, 1 << 40]
    });
    refused(
        sample::two_sections(),
        &expect!["weight @w0 `conv.weight`: a dimension is 0, not between 1 and 1099511627776"],
        |p| p.weights[0].dims[3] = 0,
    );
}

#[test]
fn step_tables_have_the_sections_buffers() {
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: the step table of x has 1 buffers, the section 2"],
        |p| {
            p.sections[0].x.buffers.pop();
        },
    );
    refused(
        sample::two_sections(),
        &expect!["section 0 `s0`: the number of instructions is 0, not between 1 and 65536"],
        |p| p.sections[0].body.clear(),
    );
}

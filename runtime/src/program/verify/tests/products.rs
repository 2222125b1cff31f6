//! Weight gradients, and the running sums that workers keep of them.

use expect_test::expect;

use super::{LIMITS, fields, refused, verify};
use crate::program::instr::{Accumulate, Statistic};
use crate::program::{AccumulatorId, AccumulatorKind, BufferId, Instr, Program, Running, sample};

fn gradients() -> Program {
    sample::weight_gradients([8, 32], true)
}

#[test]
fn gradients_are_safe_with_running_sums_and_without() {
    for running in [false, true] {
        verify(&sample::weight_gradients([8, 32], running), &LIMITS).unwrap();
    }
}

#[test]
fn operands_fit_the_accumulator() {
    refused(gradients(), &expect!["section 0 `s0`, instruction 3 (conv_dw): @a0 gathers Sum"], |p| {
        p.accumulators[0].kind = AccumulatorKind::Sum
    });
    refused(
        gradients(),
        &expect![
            "section 0 `s0`, instruction 3 (conv_dw): channels of the accumulator: 28 where 27 is needed"
        ],
        |p| p.accumulators[0].channels += 1,
    );
    refused(
        gradients(),
        &expect!["section 0 `s0`, instruction 4 (conv_dw): images of the accumulator: 19 where 20 is needed"],
        |p| p.accumulators[1].images -= 1,
    );
    refused(
        gradients(),
        &expect!["section 0 `s0`, instruction 4 (conv_dw): width of the accumulator: 71 where 70 is needed"],
        |p| p.accumulators[1].extent[1] += 1,
    );
    refused(
        gradients(),
        &expect!["section 0 `s0`, instruction 3 (conv_dw): 3 channels do not make 2 groups"],
        |p| fields!(p, 0, 3, ConvDw).groups = 2,
    );
    refused(
        gradients(),
        &expect!["section 0 `s0`, instruction 3 (conv_dw): the stride is 0, not between 1 and 1048576"],
        |p| fields!(p, 0, 3, ConvDw).window.stride[0] = 0,
    );
    refused(gradients(), &expect!["section 0 `s0`, instruction 3 (accumulate): @a0 gathers Products"], |p| {
        let (acc, src) = (AccumulatorId(0), BufferId(1));
        p.sections[0].body[3].instr = Instr::Accumulate(Accumulate { acc, src });
    });
    refused(
        gradients(),
        &expect!["section 0 `s0`, reduction 0: Mean does not follow from an accumulator of kind Products"],
        |p| p.sections[0].end[0].statistic = Statistic::Mean,
    );
}

#[test]
fn tiles_are_whole_grains() {
    refused(
        sample::weight_gradients([4, 32], false),
        &expect!["section 0 `s0`: instruction 3, step 0 of y: 0..4 of %b1 does not end between grains of 8"],
        |_| (),
    );
    refused(
        sample::weight_gradients([8, 16], false),
        &expect![
            "section 0 `s0`: instruction 3, step 0 of x: 0..16 of %b1 does not end between grains of 32"
        ],
        |_| (),
    );
}

#[test]
fn x_holds_what_the_taps_read() {
    refused(
        gradients(),
        &expect!["section 0 `s0`: instruction 3, step 0 of x: reads -2..32 of %b0, which holds -1..33"],
        |p| fields!(p, 0, 3, ConvDw).window.pad[1] = 2,
    );
    refused(
        gradients(),
        &expect!["section 0 `s0`: instruction 4, step 0 of y: reads 0..9 of %b1, which holds -1..8"],
        |p| fields!(p, 0, 4, ConvDw).window.pad[0] = 1,
    );
    refused(
        gradients(),
        &expect![
            "section 0 `s0`: instruction 3, step 0 of y: reads -1..9 of %b0, whose tensor ends at 37 and holds anything beyond, not 0.0"
        ],
        |p| p.sections[0].buffers[0].outside = None,
    );
}

#[test]
fn running_sums_lie_apart() {
    refused(gradients(), &expect!["section 0 `s0`: the running sums of @a0 share bytes with %b2"], |p| {
        p.sections[0].running[0].offset -= 64
    });
    refused(
        gradients(),
        &expect!["section 0 `s0`: the running sums of @a1 share bytes with those of @a0"],
        |p| p.sections[0].running[1].offset -= 64,
    );
    refused(
        gradients(),
        &expect![
            "section 0 `s0`, the running sums of @a1 is at 54528 + 10240, outside the 64704 bytes of SRAM"
        ],
        |p| p.sections[0].running[1].offset += 64,
    );
    refused(
        gradients(),
        &expect!["section 0 `s0`, the running sums of @a0 is at 47556, which is no multiple of 64"],
        |p| p.sections[0].running[0].offset += 4,
    );
    refused(
        gradients(),
        &expect![
            "section 0 `s0`, the running sums of @a0 is at 18446744073709551552 + 6912, outside the 64704 bytes of SRAM"
        ],
        |p| p.sections[0].running[0].offset = u64::MAX - 63,
    );
    refused(
        gradients(),
        &expect!["section 0 `s0` keeps running sums of @a1, which it does not fill, or has others of"],
        |p| p.sections[0].running[0].acc = AccumulatorId(1),
    );
    refused(
        gradients(),
        &expect!["section 0 `s0` keeps running sums of @a7, which it does not fill, or has others of"],
        |p| {
            p.sections[0].running.push(Running { acc: AccumulatorId(7), offset: 0 });
        },
    );
}

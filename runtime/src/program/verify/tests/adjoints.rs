//! Gradients that gather: maps of other sizes or beyond what their forward instructions allow, and tiles that hold too little.

use expect_test::expect;

use super::{fields, refused};
use crate::program::instr::{Border, Coordinate, Filter, Taps};
use crate::program::{BufferId, Instr, sample};

#[test]
fn maps_are_those_of_the_tensors() {
    let sample = sample::adjoints;
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (adjoint): the number of inputs is 15, not between 16 and 16"
        ],
        |p| fields!(p, 0, 4, Adjoint).axes[0].inputs = 15,
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (adjoint): the number of outputs is 31, not between 30 and 30"
        ],
        |p| fields!(p, 0, 4, Adjoint).axes[1].outputs = 31,
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 4 (adjoint): the padding after is -1, not between 0 and 16"],
        |p| {
            fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Padded { before: 4, border: Border::Wrapped };
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (adjoint): the padding before is -1, not between 0 and 1099511627776"
        ],
        |p| {
            fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Padded { before: -1, border: Border::Clamped };
        },
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 4 (adjoint): the padding before is 16, not between 0 and 15"],
        |p| {
            fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Padded { before: 16, border: Border::Mirrored };
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (adjoint): the coordinates' denominator is 0, not between 1 and 144115188075855872"
        ],
        |p| {
            let at = Coordinate { num: 16, offset: 0, den: 0 };
            fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Resized { at, filter: Filter::Linear };
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 4 (adjoint): output 21 lies at pixel 22 of the source, which has 16"
        ],
        |p| {
            let at = Coordinate { num: 16, offset: 0, den: 15 };
            fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Resized { at, filter: Filter::Linear };
        },
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 4 (adjoint): the stride is 0, not between 1 and 1048576"],
        |p| {
            let averaged = Taps::Averaged { kernel: 7, stride: 0, pad: 0, margin: [0; 2] };
            fields!(p, 0, 4, Adjoint).axes[0].taps = averaged;
        },
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 2 (load): @t2 is [1, 4, 22, 30] where [1, 3, 22, 30] is needed"
        ],
        |p| p.sections[0].buffers[2].channels = 3,
    );
}

#[test]
fn what_is_gathered_is_there() {
    let sample = sample::adjoints;
    refused(
        sample(),
        &expect!["section 0 `s0`: instruction 4, step 0 of y: reads 0..16 of %b2, which holds 0..14"],
        |p| {
            // Two outputs a pixel.
            let at = Coordinate { num: 1, offset: 0, den: 2 };
            fields!(p, 0, 4, Adjoint).axes[0].taps = Taps::Resized { at, filter: Filter::Nearest };
        },
    );
    refused(
        sample(),
        &expect!["section 0 `s0`: instruction 3, step 0 of y: reads 0..12 of %b0, which holds -2..10"],
        |p| fields!(p, 0, 3, MaxPoolDx).window.kernel = [5, 3],
    );
    refused(
        sample(),
        &expect!["section 0 `s0`: instruction 3, step 1 of y: reads 2..7 of %b1, which holds 4..9"],
        |p| fields!(p, 0, 3, MaxPoolDx).window.pad = [-3, 1],
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 3 (max_pool_dx): extent of the result: 16 where 8 is needed"],
        |p| fields!(p, 0, 3, MaxPoolDx).x = BufferId(1),
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 3 (max_pool_dx): %b3 is written while %b3, in the same bytes, is read"
        ],
        |p| fields!(p, 0, 3, MaxPoolDx).dy = BufferId(3),
    );
}

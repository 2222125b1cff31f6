//! Values dropped at random: shapes, the key, and what of it a tile holds.

use expect_test::expect;

use super::{fields, refused};
use crate::program::{BufferId, Instr, Steps, sample};

#[test]
fn shapes_are_those_of_the_operands() {
    let sample = sample::dropped;
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (dropout): channels of the key: 3 where 4 is needed"],
        |p| {
            p.tensors[1].dims.c = 3;
            p.sections[0].buffers[1].channels = 3;
        },
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (dropout): height of the key: 12 where 1 is needed"],
        |p| fields!(p, 0, 2, Dropout).key = BufferId(0),
    );
    refused(
        sample(),
        &expect!["section 0 `s0`, instruction 2 (dropout): height: 12 where 1 is needed"],
        |p| fields!(p, 0, 2, Dropout).src = BufferId(1),
    );
    refused(
        sample(),
        &expect![
            "section 0 `s0`, instruction 2 (dropout): the number of those dropped is 16777217, not between 0 and 16777216"
        ],
        |p| fields!(p, 0, 2, Dropout).dropped = (1 << 24) + 1,
    );
    refused(sample(), &expect!["section 0 `s0`, instruction 2 (dropout): there is no %b7"], |p| {
        fields!(p, 0, 2, Dropout).key = BufferId(7)
    });
}

#[test]
fn a_tile_holds_what_is_read() {
    refused(
        sample::dropped(),
        &expect!["section 0 `s0`: instruction 2, step 0 of x: reads 0..8 of %b0, which holds 1..9"],
        |p| {
            let columns = &mut p.sections[0].x.buffers[0].computed;
            *columns = Steps::compress(&columns.iter().map(|c| c.shift(1)).collect::<Vec<_>>());
        },
    );
}

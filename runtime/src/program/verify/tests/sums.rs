//! Tiles that are added up in device memory.

use expect_test::expect;

use super::{LIMITS, fields, list, refused, verify};
use crate::program::instr::{Addressing, Store};
use crate::program::{Instr, Interval, Program, Role, Steps, sample};

fn sums() -> Program {
    sample::sums([8, 8], false)
}

fn owned(program: &mut Program, step: usize, edit: impl FnOnce(&mut Interval)) {
    let table = &mut program.sections[0].y.buffers[1].owned;
    let mut steps = list(table);
    edit(&mut steps[step]);
    *table = Steps::compress(&steps);
}

#[test]
fn sums_are_safe_in_memory_and_in_files() {
    for tile in [[8, 8], [5, 13], [2, 3], [1, 1]] {
        for spilled in [false, true] {
            verify(&sample::sums(tile, spilled), &LIMITS).unwrap();
        }
    }
}

#[test]
fn tiles_of_a_colour_store_nothing_in_common() {
    refused(
        sums(),
        &expect!["section 0 `s0`: %b1, step 1 of y: owns 7..17, and step 0, of the same colour, 0..9"],
        |p| p.sections[0].colours[0] = 1,
    );
    refused(
        sums(),
        &expect!["section 0 `s0`: the number of colours of columns is 0, not between 1 and 4"],
        |p| p.sections[0].colours[1] = 0,
    );
    refused(
        sums(),
        &expect!["section 0 `s0`: the number of colours of columns is 5, not between 1 and 4"],
        |p| p.sections[0].colours[1] = 5,
    );
}

#[test]
fn a_store_takes_no_tiles_that_overlap() {
    refused(
        sums(),
        &expect!["section 0 `s0`: %b1, step 1 of y: owns 7..17, but steps before own everything below 9"],
        |p| {
            let add = fields!(p, 0, 2, StoreRmw).clone();
            p.sections[0].body[2].instr = Instr::Store(Store { dst: add.dst, src: add.src });
        },
    );
}

#[test]
fn what_tiles_add_to_ascends_and_leaves_no_gap() {
    refused(
        sums(),
        &expect!["section 0 `s0`: %b1, step 1 of y: owns 10..17, but steps before own everything below 9"],
        |p| owned(p, 1, |o| o.start = 10),
    );
    refused(sums(), &expect!["section 0 `s0`: %b1: the steps of y own everything below 18 of 19"], |p| {
        owned(p, 2, |o| o.end = 18)
    });
    refused(
        sums(),
        &expect!["section 0 `s0`: %b1, step 0 of y: owns 1..9, but steps before own everything below 0"],
        |p| owned(p, 0, |o| o.start = 1),
    );
    refused(
        sums(),
        &expect!["section 0 `s0`: %b1, step 1 of y: owns 7..8, and the step before 0..9; they must ascend"],
        |p| owned(p, 1, |o| *o = Interval::new(7, 8)),
    );
    refused(
        sums(),
        &expect![
            "section 0 `s0`: %b1, step 1 of y: owns 7..19, outside the extent or of what it holds (7..17)"
        ],
        |p| owned(p, 1, |o| o.end = 19),
    );
}

#[test]
fn sums_lie_where_they_can_be_read_back() {
    refused(
        sums(),
        &expect![
            "section 0 `s0`, instruction 2 (store_rmw): @t1 is not a composite: it cannot be read back and added to"
        ],
        |p| p.tensors[1] = crate::program::Tensor { lanes: 1, role: Role::Output, ..p.tensors[1].clone() },
    );
    refused(
        sums(),
        &expect![
            "section 0 `s0`, instruction 1 (conv_transpose2d): @w0 is [20, 3, 3, 3] where [20, 4, 3, 3] is needed"
        ],
        |p| p.sections[0].buffers[1].channels = 4,
    );
}

#[test]
fn rings_have_no_colours_and_no_parts() {
    refused(
        sums(),
        &expect![
            "section 0 `s0`: it has colours and a ring, and the tiles of a strip cannot run in the order of both"
        ],
        |p| p.sections[0].buffers[1].ring = true,
    );
    refused(
        sums(),
        &expect![
            "section 1 `s1`, instruction 0 (load): a ring keeps its rows, and what a step does not own would be zeroed"
        ],
        |p| {
            p.sections[1].buffers[0].ring = true;
            fields!(p, 1, 0, Load).addressing = Some(Addressing::Owned);
        },
    );
}

//! Tensors that are kept tile by tile.

use expect_test::expect;

use super::{LIMITS, fields, list, refused, verify};
use crate::program::instr::{Addressing, StoreRmw};
use crate::program::{Blocks, BufferId, Instr, Interval, Program, Role, Steps, sample};

fn blocks() -> Program {
    sample::in_blocks(sample::halos(), false)
}

fn edit(program: &mut Program, edit: impl FnOnce(&mut Blocks)) {
    edit(program.tensors[1].blocks.as_mut().unwrap());
}

#[test]
fn blocks_are_safe_in_memory_and_in_files() {
    for program in [sample::halos(), sample::with_rings(sample::halos()), sample::two_sections()] {
        for spilled in [false, true] {
            verify(&sample::in_blocks(program.clone(), spilled), &LIMITS).unwrap();
        }
    }
}

#[test]
fn there_is_a_block_for_each_tile_and_room_in_it() {
    refused(
        blocks(),
        &expect!["@t1 `between`: there are 4 blocks along x, and section 1 has 3 steps"],
        |p| edit(p, |b| b.grid[1] = 4),
    );
    refused(
        blocks(),
        &expect!["@t1 `between`: step 0 of y covers 6 pixels, and a block has room for 5"],
        |p| edit(p, |b| b.size[0] = 5),
    );
    refused(
        blocks(),
        &expect![
            "tensor @t1 `between`: the number of columns of a block is 1125899906842624, not between 1 and 1099511627776"
        ],
        |p| edit(p, |b| b.size[1] = 1 << 50),
    );
    refused(blocks(), &expect!["@t1 `between`: there is no %b0 in section 2"], |p| {
        edit(p, |b| b.section = 2)
    });
    refused(blocks(), &expect!["@t1 `between`: there is no %b2 in section 1"], |p| {
        edit(p, |b| b.buffer = BufferId(2))
    });
}

#[test]
fn tiles_that_share_a_pixel_follow_each_other() {
    refused(blocks(), &expect!["@t1 `between`: step 5 of y begins or ends before the step before it"], |p| {
        edit(p, |b| b.grid[0] = 6);
        let axis = &mut p.sections[1].y;
        axis.steps = 6;
        // One tile more, at the top, which owns nothing.
        for (table, covers) in axis.buffers.iter_mut().zip([Interval::new(-1, 5), Interval::new(0, 4)]) {
            for (steps, last) in [(&mut table.computed, covers), (&mut table.owned, Interval::new(19, 19))] {
                let mut all = list(steps);
                all.extend((!all.is_empty()).then_some(last));
                *steps = Steps::compress(&all);
            }
        }
    });
}

#[test]
fn only_the_tiles_load_their_blocks() {
    refused(
        blocks(),
        &expect!["@t1 `between`: there are 5 blocks along y, and section 0 has 3 steps"],
        |p| edit(p, |b| b.section = 0),
    );
    refused(
        blocks(),
        &expect!["@t1 `between`: section 1 uses it otherwise than by storing it, or loading %b0 as it is"],
        |p| {
            fields!(p, 1, 0, Load).addressing = Some(Addressing::Owned);
        },
    );
    refused(
        blocks(),
        &expect!["@t1 `between`: section 0 uses it otherwise than by storing it, or loading %b0 as it is"],
        |p| {
            let store = fields!(p, 0, 2, Store).clone();
            p.sections[0].body[2].instr = Instr::StoreRmw(StoreRmw { dst: store.dst, src: store.src });
        },
    );
    refused(blocks(), &expect!["@t1 `between`: only what lies between sections is kept tile by tile"], |p| {
        p.tensors[1].role = Role::Output;
        p.tensors[1].lanes = 1;
    });
}

#[test]
fn what_blocks_share_counts_as_work() {
    let work = |program: &Program| verify(program, &LIMITS).unwrap().work();
    // Each of two images has 20 channels of 5 x 3 blocks, 6 x 11 pixels each, instead of 19 x 26 pixels.
    assert_eq!(work(&blocks()) - work(&sample::halos()), 2 * 20 * (5 * 3 * 6 * 11 - 19 * 26));
}

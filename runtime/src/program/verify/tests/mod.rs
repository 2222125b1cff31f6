//! Each violation by itself: a valid program, one thing broken, the error pinned.

mod addressing;
mod adjoints;
mod axes;
mod blocks;
mod dropout;
mod instr;
mod memory;
mod products;
mod schedule;
mod sums;
mod tables;

use expect_test::Expect;

use super::*;
use crate::program::{Interval, Scheduled, Steps, sample};

const LIMITS: Limits = Limits { sram_bytes: 64 << 10, device_bytes: 1 << 20, work: None };

/// The error for a sample that was broken.
fn refused(mut program: Program, expected: &Expect, damage: impl FnOnce(&mut Program)) {
    damage(&mut program);
    let error = match verify(&program, &LIMITS) {
        Ok(_) => "nothing wrong".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&error);
}

/// The instruction's fields, where it is of that kind.
macro_rules! fields {
    ($program:ident, $section:literal, $instr:literal, $kind:ident) => {
        match &mut $program.sections[$section].body[$instr].instr {
            Instr::$kind(fields) => fields,
            other => panic!("{other:?}"),
        }
    };
}
use fields;

fn list(steps: &Steps) -> Vec<Interval> {
    steps.iter().collect()
}

#[test]
fn the_samples_are_safe() {
    for program in [sample::two_sections(), sample::every_instruction()] {
        verify(&program, &LIMITS).unwrap();
        verify(&sample::with_rings(program), &LIMITS).unwrap();
    }
    verify(&sample::whole_axes(), &LIMITS).unwrap();
    verify(&sample::adjoints(), &LIMITS).unwrap();
    verify(&sample::dropped(), &LIMITS).unwrap();
}

#[test]
fn work_is_counted_and_limited() {
    // Tiles: 3 × 3 of 8 × 8 pixels; 3 × 2 of 4 × 8. Load, 27 multiply-adds and 3 nodes; load, 4 taps. Each pixel is stored once,
    // and each instruction takes one more a tile.
    let s0 = 9 * (3 * 10 * 10 + 20 * 64 * (27 + 3)) + 20 * 20 * 24 + 9 * 3;
    let s1 = 6 * (20 * 8 * 16 + 20 * 32 * 4) + 20 * 10 * 12 + 6 * 3;
    let program = sample::two_sections();
    assert_eq!(verify(&program, &LIMITS).unwrap().work(), s0 + s1);
    verify(&program, &Limits { work: Some(s0 + s1), ..LIMITS }).unwrap();
    let error = verify(&program, &Limits { work: Some(s0 + s1 - 1), ..LIMITS }).unwrap_err();
    assert_eq!(error, VerifyError::Work { work: s0 + s1, limit: s0 + s1 - 1 });
}

#[test]
fn limits_are_a_machines() {
    let program = sample::two_sections();
    verify(&program, &Limits::of(&program.machine)).unwrap();
}

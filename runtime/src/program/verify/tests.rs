use super::*;
use crate::program::sample;

const LIMITS: Limits = Limits { sram_bytes: 64 << 10, device_bytes: 1 << 20, work: None };

#[test]
fn the_samples_are_safe() {
    for program in [sample::two_sections(), sample::every_instruction()] {
        verify(&program, &LIMITS).unwrap();
    }
}

//! The checker, on programs with faults: what it accepts computes what it should.

#![no_main]

use libfuzzer_sys::fuzz_target;
use zellige_tests::fuzz;

fuzz_target!(|seeds: [u64; 3]| {
    fuzz::check(seeds);
});

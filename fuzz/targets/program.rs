//! Program files: read, verified, and run on both engines.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use zellige_fuzz::mutate;
use zellige_tests::fuzz;

fuzz_target!(|bytes: &[u8]| {
    fuzz::program_file(bytes);
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(&mut data[..max_size], size, seed, fuzz::mutators::program)
});

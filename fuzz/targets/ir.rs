//! IR texts: parsed, verified, printed, and taken through the passes that remain.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use zellige_fuzz::mutate;
use zellige_tests::fuzz;

fuzz_target!(|text: &str| {
    fuzz::ir(text, &fuzz::compile_options());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(&mut data[..max_size], size, seed, fuzz::mutators::text)
});

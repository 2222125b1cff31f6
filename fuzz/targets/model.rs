//! Model texts: parsed, expanded, bound, and now and then compiled.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use zellige_fuzz::mutate;
use zellige_tests::fuzz;

fuzz_target!(|text: &str| {
    // Planning takes longer than all the rest.
    let options = fuzz::seed_of(text).is_multiple_of(8).then(fuzz::compile_options);
    fuzz::model(text, options.as_ref());
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate(&mut data[..max_size], size, seed, fuzz::mutators::text)
});

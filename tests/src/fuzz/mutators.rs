//! Mutations that keep the form, for fuzz targets: bytes changed at random seldom get past a parser.

use fastrand::Rng;
use zellige_runtime::program::{Data, Program, format};

use super::seeds;
use crate::mutate;

/// A program with a few fields changed; `None` where the bytes are no program that this can be done to.
pub fn program(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let program = format::read(bytes, |_| Ok(Data::default())).ok()?;
    let tree = serde_json::to_value(&program).ok()?;
    // An edit may leave what is no program at all.
    let mut rng = Rng::with_seed(seed.into());
    let edited = (0..4).find_map(|_| serde_json::from_value::<Program>(mutate::tree(&tree, &mut rng)).ok());
    let mut edited = edited?;
    edited.data = program.data.clone();
    Some(seeds::bytes_of(&edited))
}

/// A text with a few words changed; `None` where the bytes are no text.
pub fn text(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(mutate::text(text, &[], &mut Rng::with_seed(seed.into())).into_bytes())
}

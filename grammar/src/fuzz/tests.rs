//! The bodies, run on samples with mistakes.

use super::{ir, model};
use crate::zir;

/// A small generator of pseudo-random numbers (xorshift64*), the same on every run.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; zero if there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        ((self.next() >> 16) % end.max(1) as u64) as usize
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, among: &[&'a T]) -> &'a T {
        among[self.below(among.len())]
    }
}

/// What mutations insert.
const PIECES: [&str; 46] = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ";",
    ",",
    ":",
    "=",
    "|>",
    "..",
    "->",
    "\"",
    "\\",
    "%",
    "@",
    "f32[",
    "-",
    "+",
    "/",
    "//",
    "/*",
    "'",
    "§",
    "\u{1F600}",
    "0",
    "9223372036854775808",
    "1e999",
    ".5",
    "let ",
    "for ",
    "if ",
    "else ",
    "return ",
    "model m(",
    "block ",
    "train(",
    "schedule ",
    "clip 1.0;",
    "in",
    "inf",
    "%a, %b = ",
    "\n",
    "\0",
    "\u{301}",
];

/// The text with a few random mistakes.
fn mutate(text: &str, random: &mut Random) -> String {
    let mut text = text.to_owned();
    for _ in 0..=random.below(6) {
        let a = text.floor_char_boundary(random.below(text.len() + 1));
        let b = text.floor_char_boundary((a + random.below(40)).min(text.len())).max(a);
        match random.below(5) {
            0 => text.replace_range(a..b, ""),
            1 => text.insert_str(a, random.pick(&PIECES)),
            2 => text.replace_range(a..b, random.pick(&PIECES)),
            3 => {
                let copy = text[a..b].to_owned();
                let at = text.floor_char_boundary(random.below(text.len() + 1));
                text.insert_str(at, &copy);
            }
            _ => text.truncate(if random.below(8) == 0 { a } else { text.len() }),
        }
    }
    text
}

#[test]
fn mutated_models_do_not_panic() {
    let mut random = Random::new(1);
    for round in 0..2_000 {
        let (_, sample) = crate::model::tests::SAMPLES[round % crate::model::tests::SAMPLES.len()];
        model(&mutate(sample, &mut random));
    }
}

#[test]
fn mutated_ir_does_not_panic() {
    let mut random = Random::new(2);
    for round in 0..2_000 {
        let sample = zir::tests::SAMPLES[round % zir::tests::SAMPLES.len()];
        ir(&mutate(sample, &mut random));
    }
}

#[test]
fn soup_does_not_panic() {
    let mut random = Random::new(3);
    for _ in 0..1_000 {
        let text: String = (0..random.below(120)).map(|_| random.pick(&PIECES)).collect();
        model(&text);
        ir(&text);
    }
}

/// Lexers and parsers go through long tokens and long lists without recursion.
#[test]
fn length_is_no_matter() {
    for piece in ["a", "0", " ", "\n", "/", "\u{1F600}", "\"", "% ", "x, ", "-", "'", "_.", "|"] {
        for around in
            [("", ""), ("\"", "\""), ("// ", "\n"), ("f(", ");"), ("%", ";"), ("/*", ""), ("x [", "];")]
        {
            let text = format!("{}{}{}", around.0, piece.repeat(100_000), around.1);
            model(&text);
            ir(&text);
        }
    }
}

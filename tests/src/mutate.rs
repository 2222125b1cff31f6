//! Mutations: what is damaged, and how, follows from the random numbers alone.

use fastrand::Rng;
use serde_json::{Number, Value};

/// A few bits, bytes or pieces changed, moved, repeated or cut off.
pub fn bytes(original: &[u8], others: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.usize(1..=4) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.usize(0..bytes.len());
        match rng.u8(0..12) {
            0 => bytes.truncate(at),
            1 => splice(&mut bytes, &others[rng.usize(0..others.len())], rng),
            2 => splice(&mut bytes, original, rng),
            3..6 => bytes[at] ^= 1 << rng.u8(0..8),
            6 => bytes[at] = 0,
            7 => bytes[at] = 0xff,
            8 => bytes[at] = 0x7f,
            9 => bytes[at] = bytes[at].wrapping_add(1),
            10 => bytes[at] = bytes[at].wrapping_sub(1),
            _ => bytes[at] = rng.u8(..),
        }
    }
    bytes
}

/// A piece of `from` in the place of a piece.
fn splice(bytes: &mut Vec<u8>, from: &[u8], rng: &mut Rng) {
    let piece = |len: usize, rng: &mut Rng| {
        let start = rng.usize(0..=len);
        start..(start + rng.usize(0..64)).min(len)
    };
    let (to, from_range) = (piece(bytes.len(), rng), piece(from.len(), rng));
    bytes.splice(to, from[from_range].iter().copied());
}

/// Numbers that arithmetic is apt to break at.
const EXTREMES: [i64; 16] =
    [0, 1, -1, 2, 15, 16, 17, 64, -64, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 32, 1 << 62, i64::MAX, i64::MIN];

/// One to three fields of a tree changed: numbers and intervals set to neighbours, extremes or what stands elsewhere; items of
/// lists dropped, repeated or swapped.
pub fn tree(original: &Value, rng: &mut Rng) -> Value {
    let mut tree = original.clone();
    let numbers = numbers(original);
    for _ in 0..[1, 1, 1, 2, 3][rng.usize(0..5)] {
        let mut nth = rng.usize(0..count(&tree));
        edit(&mut tree, &mut nth, &numbers, rng);
    }
    tree
}

/// Nodes of a tree.
fn count(tree: &Value) -> usize {
    let below: usize = match tree {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    };
    1 + below
}

/// All numbers of a tree.
fn numbers(tree: &Value) -> Vec<i64> {
    match tree {
        Value::Number(number) => number.as_i64().into_iter().collect(),
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        Value::Object(fields) => fields.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

/// Edits the node that is `nth` in order; whether it was found.
fn edit(tree: &mut Value, nth: &mut usize, numbers: &[i64], rng: &mut Rng) -> bool {
    if *nth == 0 {
        edit_node(tree, numbers, rng);
        return true;
    }
    *nth -= 1;
    match tree {
        Value::Array(items) => items.iter_mut().any(|item| edit(item, nth, numbers, rng)),
        Value::Object(fields) => fields.values_mut().any(|field| edit(field, nth, numbers, rng)),
        _ => false,
    }
}

fn edit_node(node: &mut Value, numbers: &[i64], rng: &mut Rng) {
    match node {
        Value::Null => {}
        Value::Bool(value) => *value = !*value,
        Value::Number(number) => *number = edit_number(number, numbers, rng),
        Value::String(text) => {
            if let Some([start, end]) = interval(text) {
                let edited = if rng.bool() {
                    [another(start, numbers, rng), end]
                } else {
                    [start, another(end, numbers, rng)]
                };
                *text = format!("{}..{}", edited[0], edited[1]);
            }
        }
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) => {
            let (a, b) = (rng.usize(0..items.len()), rng.usize(0..items.len()));
            match rng.u8(0..3) {
                0 => drop(items.remove(a)),
                1 => items.insert(a, items[b].clone()),
                _ => items.swap(a, b),
            }
        }
        Value::Object(fields) => {
            // Options and enumerations: what a field holds may be left out, or stand under another name.
            let at = rng.usize(0..fields.len().max(1));
            if let Some((name, _)) = fields.iter().nth(at) {
                let name = name.clone();
                fields.insert(name, Value::Null);
            }
        }
    }
}

fn edit_number(number: &Number, numbers: &[i64], rng: &mut Rng) -> Number {
    match number.as_i64() {
        Some(value) if value >= 0 && rng.u8(0..16) == 0 => Number::from(u64::MAX),
        Some(value) => Number::from(another(value, numbers, rng)),
        None => {
            let floats = [0.0, -0.0, 1.0, f64::from(f32::MAX), 1e-45, 1e300];
            Number::from_f64(floats[rng.usize(0..floats.len())]).unwrap_or_else(|| number.clone())
        }
    }
}

/// Another number: near, extreme, or one that occurs.
fn another(value: i64, numbers: &[i64], rng: &mut Rng) -> i64 {
    match rng.u8(0..8) {
        0..3 => value.wrapping_add([1, -1, 2, -2, 8, -8, 16, -16][rng.usize(0..8)]),
        3 => value.wrapping_mul(2),
        4 => value / 2,
        5 if !numbers.is_empty() => numbers[rng.usize(0..numbers.len())],
        _ => EXTREMES[rng.usize(0..EXTREMES.len())],
    }
}

fn interval(text: &str) -> Option<[i64; 2]> {
    let (start, end) = text.split_once("..")?;
    Some([start.parse().ok()?, end.parse().ok()?])
}

/// A few words or lines changed, moved, repeated or dropped; words are taken from `others` as well.
pub fn text(original: &str, others: &[String], rng: &mut Rng) -> String {
    let mut words: Vec<&str> = words(original);
    let near_by: Vec<String> = (0..20).map(|n| n.to_string()).collect();
    let other = words_of_another(others, rng);
    for _ in 0..[1, 1, 1, 2, 3, 6][rng.usize(0..6)] {
        if words.is_empty() {
            break;
        }
        let (at, from) = (rng.usize(0..words.len()), rng.usize(0..words.len()));
        match rng.u8(0..12) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words[from]),
            2 => words.swap(at, from),
            3 | 4 => words[at] = words[from],
            5 if !other.is_empty() => words[at] = other[rng.usize(0..other.len())],
            6 => repeat_line(&mut words, at, from),
            7 => words.truncate(at),
            8 => words[at] = ODD_WORDS[rng.usize(0..ODD_WORDS.len())],
            _ => {
                // Mostly numbers: they lead furthest.
                let next = (at..words.len()).find(|&i| words[i].starts_with(|c: char| c.is_ascii_digit()));
                let at = next.unwrap_or(at);
                let near = words[at]
                    .parse::<usize>()
                    .ok()
                    .map(|n| n.saturating_add(rng.usize(0..3)))
                    .filter(|n| (1..21).contains(n));
                words[at] = match near {
                    Some(n) if rng.bool() => &near_by[n - 1],
                    _ => NUMBERS[rng.usize(0..NUMBERS.len())],
                };
            }
        }
    }
    words.concat()
}

const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "7",
    "16",
    "17",
    "64",
    "1000",
    "65536",
    "65537",
    "2147483647",
    "4294967296",
    "9223372036854775807",
    "99999999999999999999",
    "1.5",
    "1e39",
    "0.0",
];
const ODD_WORDS: &[&str] = &[
    "-",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "..",
    "|>",
    ",",
    ";",
    "\"",
    "/*",
    "//",
    "\u{1F600}",
    "\0",
    "%",
    "@",
    ":",
    "f32",
    "H",
    "W",
    "*",
    "/",
    "none",
    "inf",
    "nan",
    "let",
    "for",
    "block",
    "return",
];

/// Names, numbers, blanks, and single characters besides.
fn words(text: &str) -> Vec<&str> {
    let class = |c: char| match c {
        c if c.is_alphanumeric() || c == '_' => 0,
        c if c.is_whitespace() => 1,
        _ => 2,
    };
    let mut words = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let class = class(c);
        if at > start && (last != Some(class) || class == 2) {
            words.push(&text[start..at]);
            start = at;
        }
        last = Some(class);
    }
    words.push(&text[start..]);
    words
}

fn words_of_another<'a>(others: &'a [String], rng: &mut Rng) -> Vec<&'a str> {
    if others.is_empty() { Vec::new() } else { words(&others[rng.usize(0..others.len())]) }
}

/// The line that word `from` stands in, once more before word `at`.
fn repeat_line<'a>(words: &mut Vec<&'a str>, at: usize, from: usize) {
    let breaks = |word: &&str| word.contains('\n');
    let start = words[..from].iter().rposition(breaks).map_or(0, |i| i + 1);
    let end = words[from..].iter().position(breaks).map_or(words.len(), |i| from + i + 1);
    let line: Vec<&'a str> = words[start..end.min(start + 200)].to_vec();
    words.splice(at..at, line);
}

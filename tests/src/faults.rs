//! Faults put into programs, for a checker to find: any number, interval, id, expression node, instruction or option of a program
//! replaced by another. They work on the program's tree, so that instructions and attributes that are added take part at once.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Number, Value};
use zellige_runtime::program::Program;

use crate::variants::in_order;

/// What a fault can be done to.
#[derive(Clone, Debug)]
pub struct Site {
    /// Where in the tree.
    pointer: String,
    edit: Edit,
}

#[derive(Clone, Copy, Debug)]
enum Edit {
    /// A number becomes another one near by.
    Number,
    /// A number that may be missing.
    Optional,
    /// An interval is moved, or one of its ends is.
    Interval,
    /// An id becomes another one of its kind.
    Id,
    /// A node of an expression changes its operation, an operand or its constant.
    Node,
    /// What is optional is left out.
    Dropped,
    /// An item of a list is left out.
    Removed,
    /// Two neighbours in a list change places.
    Swapped,
    /// A word becomes another one that stands under the same name elsewhere.
    Word,
}

/// A program as a tree, and all that can be done to it, by kind.
#[derive(Debug)]
pub struct Faults {
    tree: Value,
    sites: BTreeMap<String, Vec<Site>>,
}

/// What is no part of what is computed, or is checked by others.
const APART: &[&str] = &[
    "name",
    "numerics",
    "machine",
    "graph",
    "sram_bytes",
    "device_bytes",
    "wait",
    "wait_previous",
    "signal",
];

impl Faults {
    /// What can be done to a program; `None` if its text has no room for its numbers (infinities).
    pub fn of(program: &Program) -> Option<Self> {
        let mut program = program.clone();
        in_order(&mut program);
        let tree = serde_json::to_value(&program).ok()?;
        serde_json::from_value::<Program>(tree.clone()).ok()?;
        let mut sites = BTreeMap::new();
        collect(&tree, "", "", "", &mut sites);
        Some(Self { tree, sites })
    }

    /// Those alone that are put into instructions of these names; `None` if the program has none of them.
    pub fn within(&self, instructions: &[&str]) -> Option<Self> {
        let is_one = |kind: &String| instructions.iter().any(|name| kind.starts_with(&format!("{name} ")));
        let sites = self.sites.iter().filter(|(kind, _)| is_one(kind));
        let sites: BTreeMap<_, _> = sites.map(|(kind, sites)| (kind.clone(), sites.clone())).collect();
        (!sites.is_empty()).then(|| Self { tree: self.tree.clone(), sites })
    }

    /// A kind of fault and a program that has one; `None` if the dice fall so that it is no program any more, or the same one.
    pub fn draw(&self, rng: &mut Rng) -> Option<(&str, Program)> {
        let nth = rng.usize(0..self.sites.len());
        let (kind, sites) = self.sites.iter().nth(nth)?;
        let site = &sites[rng.usize(0..sites.len())];
        let mut tree = self.tree.clone();
        apply(&mut tree, site, rng)?;
        if tree == self.tree {
            return None;
        }
        let mut program: Program = serde_json::from_value(tree).ok()?;
        in_order(&mut program);
        Some((kind, program))
    }
}

/// Adds what can be done to `tree`, which stands at `pointer` under the name `key`, perhaps in an instruction `of` that name: faults
/// of each instruction are kinds of their own, so that rare ones are met as often as others.
fn collect(tree: &Value, pointer: &str, key: &str, of: &str, sites: &mut BTreeMap<String, Vec<Site>>) {
    let optional = ["outside"].contains(&key);
    match tree {
        Value::Null if optional => add(sites, [of, key], pointer, Edit::Optional),
        Value::Number(_) if optional => add(sites, [of, key], pointer, Edit::Optional),
        Value::Number(_) => add(sites, [of, key], pointer, Edit::Number),
        Value::Bool(_) => add(sites, [of, key], pointer, Edit::Word),
        Value::String(text) if interval(text).is_some() => add(sites, [of, key], pointer, Edit::Interval),
        Value::String(text) if id(text).is_some() => {
            add(sites, [of, &format!("{key} ({})", &text[..2])], pointer, Edit::Id);
            if key == "bias" {
                add(sites, [of, "no bias"], pointer, Edit::Dropped);
            }
        }
        Value::String(_) if key == "expressions" => add(sites, [of, "node"], pointer, Edit::Node),
        Value::String(_) => add(sites, [of, key], pointer, Edit::Word),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                let at = format!("{pointer}/{i}");
                if ["body", "end", "running"].contains(&key) {
                    add(sites, [of, &format!("no {}", mnemonic(item))], &at, Edit::Removed);
                }
                if i > 0 && ["body", "operands", "prologue", "period", "pad", "kernel"].contains(&key) {
                    add(sites, [of, &format!("order of {key}")], &at, Edit::Swapped);
                }
                // A table's intervals go by the name of the table.
                collect(item, &at, key, of, sites);
            }
        }
        Value::Object(fields) => {
            if key == "epilogue" {
                add(sites, [of, "no epilogue"], pointer, Edit::Dropped);
            }
            for (name, field) in fields {
                if APART.contains(&name.as_str()) {
                    continue;
                }
                let at = format!("{pointer}/{name}");
                let table = ["computed", "owned"].contains(&key) && field.is_array();
                let of = if key == "instr" { &format!("{name} ") } else { of };
                collect(field, &at, if table { key } else { name }, of, sites);
            }
        }
        Value::Null => {}
    }
}

fn add(sites: &mut BTreeMap<String, Vec<Site>>, kind: [&str; 2], pointer: &str, edit: Edit) {
    sites.entry(kind.concat()).or_default().push(Site { pointer: pointer.to_owned(), edit });
}

/// The name of an instruction.
fn mnemonic(item: &Value) -> &str {
    let instr = item.get("instr").and_then(Value::as_object);
    instr
        .and_then(|i| i.keys().next())
        .map_or(if item.get("statistic").is_some() { "reduce" } else { "running sums" }, String::as_str)
}

fn apply(tree: &mut Value, site: &Site, rng: &mut Rng) -> Option<()> {
    let (parent, last) = site.pointer.rsplit_once('/')?;
    match site.edit {
        Edit::Removed => {
            let list = tree.pointer_mut(parent)?.as_array_mut()?;
            list.remove(last.parse().ok()?);
            return Some(());
        }
        Edit::Swapped => {
            let list = tree.pointer_mut(parent)?.as_array_mut()?;
            let at: usize = last.parse().ok()?;
            list.swap(at, at - 1);
            return Some(());
        }
        Edit::Word => {
            let words = words(tree, last);
            let found = tree.pointer_mut(&site.pointer)?;
            *found = match found {
                Value::Bool(value) => Value::Bool(!*value),
                _ => words[rng.usize(0..words.len())].clone(),
            };
            return Some(());
        }
        Edit::Id => {
            let text = tree.pointer(&site.pointer)?.as_str()?.to_owned();
            let ids = ids(tree, id(&text)?);
            *tree.pointer_mut(&site.pointer)? = Value::String(ids[rng.usize(0..ids.len())].clone());
            return Some(());
        }
        Edit::Number | Edit::Optional | Edit::Interval | Edit::Node | Edit::Dropped => {}
    }
    let found = tree.pointer_mut(&site.pointer)?;
    *found = match (site.edit, &*found) {
        (Edit::Number, Value::Number(n)) => Value::Number(another(n, rng)?),
        (Edit::Optional, _) => {
            let values = [Value::Null, 0.0.into(), (-0.0).into(), 1.0.into(), (-0.5).into()];
            values[rng.usize(0..values.len())].clone()
        }
        (Edit::Interval, Value::String(text)) => {
            let [start, end] = interval(text)?;
            let by = [1, -1, 2, -2, 8, -8][rng.usize(0..6)];
            let [start, end] = match rng.u8(0..3) {
                0 => [start + by, end + by],
                1 => [start + by, end],
                _ => [start, end + by],
            };
            Value::String(format!("{start}..{end}"))
        }
        (Edit::Node, Value::String(text)) => Value::String(node(text, rng)),
        (Edit::Dropped, _) => Value::Null,
        _ => return None,
    };
    Some(())
}

fn another(number: &Number, rng: &mut Rng) -> Option<Number> {
    if let Some(value) = number.as_i64() {
        let by = [1, -1, 1, -1, 2, -2, 4, -4, 64, -64][rng.usize(0..10)];
        return Some(Number::from(value.checked_add(by)?));
    }
    Number::from_f64(number.as_f64()? + [1.0, -1.0, 0.25][rng.usize(0..3)])
}

/// A node with another operation, constant or operand.
fn node(text: &str, rng: &mut Rng) -> String {
    const BINARY: [&str; 6] = ["add", "sub", "mul", "div", "min", "max"];
    let words: Vec<&str> = text.split(' ').collect();
    match words.as_slice() {
        ["const", value] => {
            format!("const {:?}", value.parse::<f32>().unwrap_or(0.0) + [0.5, -0.5, 1.0][rng.usize(0..3)])
        }
        ["in", n] => format!("in {}", (n.parse::<u32>().unwrap_or(0) + 1) % 3),
        [op, a, b] if rng.bool() => format!("{op} {b} {a}"),
        [_, a, b] => format!("{} {a} {b}", BINARY[rng.usize(0..BINARY.len())]),
        ["select", op, a, b, yes, no] => format!("select {op} {a} {b} {no} {yes}"),
        _ => text.to_owned(),
    }
}

fn interval(text: &str) -> Option<[i64; 2]> {
    let (start, end) = text.split_once("..")?;
    Some([start.parse().ok()?, end.parse().ok()?])
}

/// The sigil of an id.
fn id(text: &str) -> Option<&str> {
    let (sigil, digits) = text.split_at_checked(2)?;
    let is_id = ["@t", "@w", "@a", "@e", "%b"].contains(&sigil) && digits.parse::<u32>().is_ok();
    is_id.then_some(sigil)
}

/// All ids of a kind that occur.
fn ids(tree: &Value, sigil: &str) -> Vec<String> {
    let mut found = Vec::new();
    visit(tree, "", &mut |_, value| {
        if let Value::String(text) = value
            && id(text) == Some(sigil)
        {
            found.push(text.clone());
        }
    });
    found.sort();
    found.dedup();
    found
}

/// All words that occur under a name.
fn words(tree: &Value, key: &str) -> Vec<Value> {
    let mut found = Vec::new();
    visit(tree, "", &mut |name, value| {
        if name == key && value.is_string() {
            found.push(value.clone());
        }
    });
    found.push("max".into());
    found
}

fn visit(tree: &Value, key: &str, f: &mut impl FnMut(&str, &Value)) {
    f(key, tree);
    match tree {
        Value::Array(items) => items.iter().for_each(|item| visit(item, key, f)),
        Value::Object(fields) => fields.iter().for_each(|(name, field)| visit(field, name, f)),
        _ => {}
    }
}

//! What a drawing says about an op: its kind, and attributes that are not what one expects anyway.

use serde_json::{Map, Value as Json};

use crate::ir::{Graph, Node};
use crate::ops::Placement;

/// What an op is to tiling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reads a neighbourhood: makes halos.
    Window,
    /// Elementwise.
    Map,
    /// Sums over space.
    Sum,
    /// Anything else: moves data, mostly.
    Other,
}

impl Kind {
    /// Of an op.
    pub(super) fn of(node: &Node) -> Self {
        if node.op.placement() == Placement::Reduce {
            Self::Sum
        } else if node.op.expression().is_some() {
            Self::Map
        } else if attributes(node).contains_key("kernel") {
            Self::Window
        } else {
            Self::Other
        }
    }

    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Map => "map",
            Self::Sum => "sum",
            Self::Other => "other",
        }
    }
}

/// The attributes of an op. A gradient has those of the op that it belongs to, and perhaps more.
fn attributes(node: &Node) -> Map<String, Json> {
    let mut attributes = Map::new();
    for (key, value) in node.op.attrs().as_object().into_iter().flatten() {
        match value {
            Json::Object(forward) if key == "forward" => attributes.extend(forward.clone()),
            _ => attributes.extend([(key.clone(), value.clone())]),
        }
    }
    attributes
}

/// The attributes that tell ops of one name apart: `3×3 stride 2`.
pub(super) fn summary(node: &Node) -> String {
    let attributes = attributes(node);
    let parts = attributes.iter().filter_map(|(key, value)| {
        // The output's channels stand in its shape, and a bias among the parameters.
        if matches!(key.as_str(), "out" | "bias") || is_neutral(key, value) {
            return None;
        }
        Some(match (key.as_str(), value) {
            ("kernel", _) => sides(value, true),
            (_, Json::Bool(true)) => words(key),
            (_, Json::String(text)) => text.clone(),
            _ => format!("{} {}", words(key), sides(value, false)),
        })
    });
    parts.collect::<Vec<_>>().join(" ")
}

/// All attributes, one a line.
pub(super) fn listing(node: &Node) -> Vec<String> {
    let line = |(key, value): (&String, &Json)| format!("{}: {}", words(key), sides(value, false));
    attributes(node).iter().map(line).collect()
}

/// Whether an attribute changes nothing.
fn is_neutral(key: &str, value: &Json) -> bool {
    let neutral = match key {
        "stride" | "dilation" | "groups" => 1,
        _ => 0,
    };
    match value {
        Json::Array(items) => items.iter().all(|i| i.as_i64() == Some(neutral)),
        Json::Bool(set) => !set,
        Json::Null => true,
        Json::Number(number) => number.as_i64() == Some(neutral) && neutral == 1,
        _ => false,
    }
}

/// `1` for `[1, 1, 1, 1]` unless all sides are wanted, `1×2` for `[1, 2]`, `0,0,1,1` for more.
fn sides(value: &Json, all: bool) -> String {
    let Json::Array(items) = value else { return plain(value) };
    let texts: Vec<String> = items.iter().map(plain).collect();
    match texts.as_slice() {
        [first, rest @ ..] if !all && rest.iter().all(|t| t == first) => first.clone(),
        [_, _] => texts.join("×"),
        _ => texts.join(","),
    }
}

fn plain(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        // As f32 these are what was written.
        Json::Number(n) if n.is_f64() => n.as_f64().map_or_else(String::new, |v| (v as f32).to_string()),
        other => other.to_string(),
    }
}

fn words(key: &str) -> String {
    key.replace('_', " ")
}

/// The path of an op's parameters, `conv0` of `conv0.weight`; empty if it has none.
pub(super) fn path<'a>(graph: &'a Graph, node: &Node) -> &'a str {
    let name = node.params.first().and_then(|&p| graph.params.get(p)).map_or("", |p| p.name.as_str());
    name.rsplit_once('.').map_or("", |(path, _)| path)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fixtures::Net;

    #[test]
    fn what_is_as_always_is_not_said() {
        let mut net = Net::new("n");
        let shape = crate::base::Shape::new(1, 8, 32, 32);
        let x = net.input("x", shape);
        let plain = net.conv(x, 4, 3, 1, "a.conv0");
        let strided = json!({
            "out": 8, "kernel": [3, 2], "stride": [2, 2], "pad": [1, 0, 1, 0],
            "dilation": [1, 1], "groups": 4, "bias": false,
        });
        let strided = net.op("conv2d", strided, &[plain], "b");
        let scaled = net.op("leaky_relu", json!({"slope": 0.1}), &[strided], "c");
        let said = |value| {
            let node = &net.graph.ops[net.graph.producer(value).unwrap()];
            (Kind::of(node), summary(node), path(&net.graph, node).to_owned())
        };
        assert_eq!(said(plain), (Kind::Window, "3×3 pad 1".into(), "a.conv0".into()));
        assert_eq!(said(strided), (Kind::Window, "3×2 stride 2 pad 1,0,1,0 groups 4".into(), "b".into()));
        assert_eq!(said(scaled), (Kind::Map, "slope 0.1".into(), String::new()));
    }
    #[test]
    fn a_gradient_is_drawn_with_the_attributes_of_its_op() {
        let mut net = Net::new("n");
        let x = net.input("x", crate::base::Shape::new(1, 8, 32, 32));
        let y = net.conv(x, 4, 3, 1, "a");
        let forward = net.graph.ops[net.graph.producer(y).unwrap()].op.attrs();
        let dx = net.op("conv2d.dx", json!({"forward": forward, "size": [8, 32, 32]}), &[y], "b");
        let node = &net.graph.ops[net.graph.producer(dx).unwrap()];
        assert_eq!((Kind::of(node), summary(node)), (Kind::Window, "3×3 pad 1 size 8,32,32".into()));
        assert!(listing(node).contains(&"kernel: 3".to_owned()));
    }
}

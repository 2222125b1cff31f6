//! The tiling of a tensor as far as it is drawn: the first steps of an axis, some in the middle, and the last ones.

use serde_json::{Value as Json, json};
use zellige_runtime::program::Interval;

use super::diagram::both;
use crate::base::units;
use crate::ir::{Role, Storage, TensorSteps, Tiling, ZeroOut};

/// Axes of up to so many steps are drawn whole.
const ALL: u64 = 10;
/// Steps at either end of a longer one, and in its middle.
const ENDS: u64 = 3;
const MIDDLE: u64 = 2;

/// Stretches of neighbouring steps that are drawn, half-open.
fn stretches(steps: u64) -> Vec<[u64; 2]> {
    if steps <= ALL {
        return vec![[0, steps]];
    }
    let middle = steps / 2;
    vec![[0, ENDS], [middle, middle + MIDDLE], [steps - ENDS, steps]]
}

/// The tiling of a tensor, for the page.
pub(super) fn to_json(name: &str, shape: &str, tiling: &Tiling) -> Json {
    json!({
        "name": name,
        "shape": shape,
        "role": role(tiling.role),
        "tile": both(tiling.tile),
        "fused": tiling.storage == Some(Storage::Fused),
        "facts": facts(tiling),
        "extent": tiling.extent,
        "border": tiling.zero_out.as_ref().map_or([0; 4], |z| z.border),
        "outside": outside(tiling),
        "axes": [axis(&tiling.steps[0], ring_rows(tiling)), axis(&tiling.steps[1], None)],
    })
}

/// Rows that a ring has room for.
fn ring_rows(tiling: &Tiling) -> Option<i64> {
    let rows = i64::try_from(tiling.tile[0]).ok()?;
    (tiling.storage == Some(Storage::Ring)).then_some(rows)
}

/// A role in a word.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Input => "input",
        Role::Intermediate => "intermediate",
        Role::Output => "output",
        Role::Reduced => "summed",
    }
}

/// What is in the border, in words.
fn outside(tiling: &Tiling) -> Option<String> {
    let verb = if tiling.role == Role::Input { "padding" } else { "reset" };
    tiling.zero_out.as_ref().map(|z| match z {
        ZeroOut { value: 0.0, .. } => format!("{verb}: zeros"),
        z => format!("{verb}: {}", z.value),
    })
}

/// Pairs of names and values.
fn facts(tiling: &Tiling) -> Vec<[String; 2]> {
    let sides = |s: [u64; 4]| {
        let same = s.iter().all(|side| *side == s[0]);
        if same { s[0].to_string() } else { format!("{} {} {} {}", s[0], s[1], s[2], s[3]) }
    };
    let mut facts = vec![
        ("tile", both(tiling.tile)),
        ("extent", both(tiling.extent)),
        ("steps", both([tiling.steps[0].computed.len(), tiling.steps[1].computed.len()])),
    ];
    facts.extend(tiling.overlap.map(|o| ("overlap", both(o))));
    facts.extend(tiling.padding.filter(|p| *p != [0; 4]).map(|p| ("padding", sides(p))));
    facts.extend(tiling.padded.filter(|p| *p != tiling.extent).map(|p| ("padded", both(p))));
    if tiling.storage == Some(Storage::Ring) {
        facts[0] = ("ring", both(tiling.tile));
    }
    if tiling.storage == Some(Storage::Fused) {
        facts.push(("stored", "nowhere: part of an instruction".to_owned()));
    }
    let buffer = tiling.buffer.as_ref();
    facts.extend(buffer.map(|b| ("buffer", format!("{} at {}", units::bytes(b.bytes), b.offset))));
    facts.into_iter().map(|(key, value)| [key.to_owned(), value]).collect()
}

/// The steps of an axis, stretch by stretch. `ghost` ones are drawn in part; a ring of `room` rows keeps those from `kept` on.
fn axis(steps: &TensorSteps, room: Option<i64>) -> Json {
    let count = steps.computed.len();
    let kept = |i: u64| {
        let first = steps.computed.get(0).start;
        room.map(|room| steps.computed.get(i).end.saturating_sub(room).max(first))
    };
    let pair = |interval: Interval| json!([interval.start, interval.end]);
    let step = |i: u64, ghost: bool| {
        let owned = (!steps.owned.is_empty()).then(|| pair(steps.owned.get(i)));
        let computed = pair(steps.computed.get(i));
        json!({"i": i, "computed": computed, "owned": owned, "ghost": ghost, "kept": kept(i)})
    };
    let stretch = |[from, to]: [u64; 2]| {
        // The neighbours show what the steps at the end of a stretch share with them.
        let before = (from > 0).then(|| step(from - 1, true));
        let after = (to < count).then(|| step(to, true));
        before.into_iter().chain((from..to).map(|i| step(i, false))).chain(after).collect::<Json>()
    };
    json!({"count": count, "stretches": stretches(count).into_iter().map(stretch).collect::<Json>()})
}

#[cfg(test)]
mod tests {
    use zellige_runtime::program::Steps;

    use super::*;

    #[test]
    fn a_long_axis_is_a_few_steps() {
        let list: Vec<_> = (0..6000).map(|i| Interval::new(16 * i - 1, 16 * i + 17)).collect();
        let steps = TensorSteps { computed: Steps::compress(&list), owned: Steps::default() };
        let drawn = axis(&steps, None);
        assert_eq!(drawn["count"], 6000);
        let first: Vec<_> = drawn["stretches"]
            .as_array()
            .unwrap()
            .iter()
            .map(|s| s.as_array().unwrap().iter().map(|s| s["i"].as_u64().unwrap()).collect::<Vec<_>>())
            .collect();
        assert_eq!(first, [vec![0, 1, 2, 3], vec![2999, 3000, 3001, 3002], vec![5996, 5997, 5998, 5999]]);
        assert_eq!(drawn["stretches"][2][3]["computed"], json!([95983, 96001]));
    }

    #[test]
    fn a_ring_keeps_rows_from_the_first_on() {
        let list: Vec<_> = (0..4).map(|i| Interval::new(16 * i - 1, 16 * i + 15)).collect();
        let steps = TensorSteps { computed: Steps::compress(&list), owned: Steps::default() };
        let drawn = axis(&steps, Some(18));
        let kept: Vec<_> =
            drawn["stretches"][0].as_array().unwrap().iter().map(|s| s["kept"].clone()).collect();
        assert_eq!(kept, [-1, 13, 29, 45]);
    }

    #[test]
    fn stretches_do_not_meet() {
        for steps in 1..100 {
            let stretches = stretches(steps);
            assert_eq!(stretches[0][0], 0);
            assert_eq!(stretches.last().unwrap()[1], steps);
            assert!(stretches.windows(2).all(|w| w[0][1] < w[1][0]), "{steps}");
        }
    }
}

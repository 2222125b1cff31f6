//! Between attributes and the structures of compiler and runtime, by way of serde.
//!
//! What serde gives is made shorter: nothing is written for `None`, and a step table without a period is its list of intervals.
//! What is read must be known: serde passes over surplus fields of most structures in silence, and a typing error in a
//! hand-edited text would go unnoticed.

use indexmap::IndexMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};
use zellige_grammar::zir::decode::DecodeError;
use zellige_grammar::zir::json::{attrs_to_json, from_json};
use zellige_grammar::zir::{Value, ValueKind};

/// The attributes of a structure; of one that is no map, none.
pub(super) fn encode<T: Serialize>(data: &T) -> IndexMap<String, Value> {
    let mut json = serde_json::to_value(data).unwrap_or(Json::Null);
    shorten(&mut json);
    match from_json(&json).kind {
        ValueKind::Map(attrs) => attrs,
        _ => IndexMap::new(),
    }
}

/// The structure of some attributes.
pub(super) fn decode<T: Serialize + DeserializeOwned>(
    attrs: &IndexMap<String, Value>,
) -> Result<T, DecodeError> {
    let mut json = attrs_to_json(attrs);
    lengthen(&mut json);
    let data: T = zellige_grammar::zir::decode::decode(json.clone())?;
    known(&json, &serde_json::to_value(&data).unwrap_or(Json::Null))?;
    Ok(data)
}

const STEPS: [&str; 5] = ["prologue", "period", "advance", "repeats", "epilogue"];

fn shorten(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(shorten),
        Json::Object(fields) => {
            fields.retain(|_, value| !value.is_null());
            fields.values_mut().for_each(shorten);
            if fields.keys().map(String::as_str).eq(STEPS) {
                *json = short_steps(fields);
            }
        }
        _ => {}
    }
}

fn is_nothing(value: &Json) -> bool {
    value.as_array().is_some_and(Vec::is_empty) || value.as_i64() == Some(0)
}

fn short_steps(fields: &mut Map<String, Json>) -> Json {
    fields.retain(|key, value| key == "prologue" || !is_nothing(value));
    if fields.len() == 1 {
        return fields.remove("prologue").unwrap_or(Json::Null);
    }
    fields.retain(|_, value| !is_nothing(value));
    Json::Object(std::mem::take(fields))
}

fn lengthen(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(lengthen),
        Json::Object(fields) => {
            for (key, value) in fields.iter_mut() {
                if key == "computed" || key == "owned" {
                    long_steps(value);
                } else {
                    lengthen(value);
                }
            }
        }
        _ => {}
    }
}

fn long_steps(value: &mut Json) {
    let mut all = json!({"prologue": [], "period": [], "advance": 0, "repeats": 0, "epilogue": []});
    match value.take() {
        list @ Json::Array(_) => all["prologue"] = list,
        Json::Object(fields) => fields.into_iter().for_each(|(key, field)| all[key] = field),
        other => all = other,
    }
    *value = all;
}

/// Whether everything that was given is something that the structure has.
fn known(given: &Json, has: &Json) -> Result<(), DecodeError> {
    match (given, has) {
        (Json::Object(given), Json::Object(has)) => {
            given.iter().try_for_each(|(key, value)| match has.get(key) {
                Some(field) => known(value, field),
                None => Err(DecodeError::unknown(key, has.keys().cloned())),
            })
        }
        (Json::Array(given), Json::Array(has)) => given.iter().zip(has).try_for_each(|(g, h)| known(g, h)),
        _ => Ok(()),
    }
}

//! Tests of the `zellige` command, each in a folder of its own.
//!
//! What is expected stands in files: `../errors/**.txt` (mistakes and what is said about them) and `../filetests/**.zir` (IR
//! and what a command makes of it). With `UPDATE_EXPECT=1` in the environment the tests write what they find.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod commands;
mod documents;
mod drawings;
mod endings;
mod errors;
mod filetests;
mod fixtures;
mod folder;
mod kept_plan;
mod snapshot;
mod training;
mod windows;

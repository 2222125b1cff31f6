//! The table of codes and its pages agree, and the pages tell the truth.

use super::*;
use crate::model::parse_model;

/// The model texts of a page, in order.
fn examples(page: &str) -> Vec<&str> {
    page.split("```zlg\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(text, _)| text).collect()
}

fn codes(text: &str) -> Vec<Code> {
    parse_model(text).1.iter().map(|problem| problem.code).collect()
}

#[test]
fn pages_begin_with_code_and_title_and_say_something() {
    for &code in Code::all() {
        let page = code.explanation();
        let rest = page.strip_prefix(&format!("# {code}: {}\n\n", code.title()));
        assert!(rest.is_some_and(|rest| rest.len() > 80), "{code}");
    }
}

#[test]
fn every_page_is_in_the_table() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("codes");
    let mut files: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    let table: Vec<String> = Code::all().iter().map(|code| format!("{code}.md")).collect();
    assert_eq!(files, table);
}

#[test]
fn codes_are_found_by_their_id() {
    for &code in Code::all() {
        assert_eq!(Code::parse(code.id()), Some(code));
    }
    assert_eq!(Code::parse(" e0103 "), Some(Code::E0103));
    assert_eq!(Code::parse("E9999"), None);
}

/// Of a page about syntax the first example has the mistake, and only it; the second has none.
#[test]
fn examples_about_syntax_show_their_mistake() {
    let pages = Code::all().iter().filter(|code| code.id().starts_with("E01"));
    for &code in pages {
        match examples(code.explanation()).as_slice() {
            [] | [_] => {}
            [wrong, right] => {
                let found = codes(wrong);
                assert!(!found.is_empty() && found.iter().all(|&other| other == code), "{code}: {found:?}");
                assert_eq!(codes(right), [], "{code}");
            }
            more => panic!("{code} has {} examples", more.len()),
        }
    }
}

#[test]
fn examples_about_meaning_have_no_mistakes_in_their_syntax() {
    let pages = Code::all().iter().filter(|code| !code.id().starts_with("E01"));
    for code in pages {
        for text in examples(code.explanation()) {
            assert_eq!(codes(text), [], "{code}:\n{text}");
        }
    }
}

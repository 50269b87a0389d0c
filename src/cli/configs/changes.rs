//! `--add-config`, `--add-config-file` and `--delete-config`: what is to change (`parseConfigsToBeAdded`).

use std::collections::BTreeMap;

use super::ConfigsError;
use crate::cli::options::Options;
use crate::cli::tool::load_properties;
use crate::client::ConfigChange;

/// The changes, those that take a config back first; what is set twice has the last value.
pub fn of(options: &Options) -> Result<Vec<ConfigChange>, ConfigsError> {
    let said = |message: String| ConfigsError::Said(message);
    let mut set: BTreeMap<String, String> = BTreeMap::new();
    if let Some(path) = options.one("add-config-file")? {
        set.extend(load_properties(path).map_err(|stop| said(stop.to_string()))?);
    }
    if let Some(text) = options.one("add-config")? {
        set.extend(pairs(text).ok_or_else(|| {
            said(
                "requirement failed: Invalid entity config: all configs to be added must be in the format \
                 \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas."
                    .to_owned(),
            )
        })?);
    }
    let is_of_key = |letter: char| letter.is_ascii_alphanumeric() || "$._-".contains(letter);
    if let Some(key) = set.keys().find(|key| !key.chars().all(is_of_key)) {
        return Err(said(format!("Invalid character found for config key: {key}")));
    }
    let taken_back = options.all("delete-config").iter().flat_map(|text| text.split(','));
    let taken_back =
        taken_back.map(|name| ConfigChange { name: name.trim().to_owned(), value: None });
    let set = set.into_iter().map(|(name, value)| ConfigChange { name, value: Some(value) });
    Ok(taken_back.chain(set).collect())
}

/// `k1=v1,k2=[v1,v2]`; brackets keep commas and equals signs together, and are left out.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let mut items = split_outside_brackets(text, ',');
    // Java's `split` drops what is empty at the end.
    while items.len() > 1 && items.last().is_some_and(|item| item.is_empty()) {
        items.pop();
    }
    let pair = |item: &str| match split_outside_brackets(item, '=')[..] {
        [key, value] => {
            let value = value.replace(['[', ']'], "");
            Some((key.trim().to_owned(), value.trim().to_owned()))
        }
        _ => None,
    };
    items.into_iter().map(pair).collect()
}

/// Splits where the next bracket, if there is one, opens.
fn split_outside_brackets(text: &str, separator: char) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut begin = 0;
    for (at, _) in text.match_indices(separator) {
        let behind = &text[at + separator.len_utf8()..];
        let next = behind.find(['[', ']']).map(|at| &behind[at..]);
        if next.is_none_or(|next| next.starts_with('[')) {
            pieces.push(&text[begin..at]);
            begin = at + separator.len_utf8();
        }
    }
    pieces.push(&text[begin..]);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&[(&str, &str)]>) {
        let expected = expected.map(|pairs| {
            let owned = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            owned.collect::<Vec<_>>()
        });
        assert_eq!(pairs(text), expected, "{text}");
    }

    #[test]
    fn brackets_keep_lists_together() {
        check("a=1", Some(&[("a", "1")]));
        check("a=1, b = 2 ", Some(&[("a", "1"), ("b", "2")]));
        check("a=[1,2],b=3", Some(&[("a", "1,2"), ("b", "3")]));
        check("a=[x=1,y=2]", Some(&[("a", "x=1,y=2")]));
        check("a=", Some(&[("a", "")]));
        check("a=1,", Some(&[("a", "1")]));
        check("a", None);
        check("a=b=c", None);
        check("a=1,,b=2", None);
        check("", None);
    }
}

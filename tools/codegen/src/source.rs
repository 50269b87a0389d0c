//! Where definitions come from: a jar's `common/message/` folder, or a directory.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// The texts of all definitions, in the order of their names.
pub struct Source {
    /// The jar's or directory's name, without its path.
    pub name: String,
    /// File names and texts.
    pub texts: Vec<(String, String)>,
}

/// Reads every `.json` of a jar or a directory.
pub fn read(path: &Path) -> Result<Source> {
    let name = path.file_stem().context("a path without a name")?.to_string_lossy().into_owned();
    let mut texts = if path.is_dir() { from_directory(path)? } else { from_jar(path)? };
    ensure!(!texts.is_empty(), "{} holds no message definitions", path.display());
    texts.sort();
    Ok(Source { name, texts })
}

fn from_directory(path: &Path) -> Result<Vec<(String, String)>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            texts.push((name, fs::read_to_string(entry.path())?));
        }
    }
    Ok(texts)
}

fn from_jar(path: &Path) -> Result<Vec<(String, String)>> {
    let file = fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut jar = zip::ZipArchive::new(file)?;
    let mut texts = Vec::new();
    for index in 0..jar.len() {
        let mut entry = jar.by_index(index)?;
        let name = entry.name()?.into_owned();
        let Some(name) = name.strip_prefix("common/message/") else { continue };
        if name.ends_with(".json") {
            let mut text = String::new();
            entry.read_to_string(&mut text)?;
            texts.push((name.to_owned(), text));
        }
    }
    Ok(texts)
}

//! The repository's text files, read once.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// What holds nothing that we wrote; `.git` is a file in a linked work tree.
const SKIPPED: &[&str] = &[".git", "target", "data", "node_modules"];

pub struct Tree {
    /// Path below the root, with `/`, to content.
    files: BTreeMap<String, String>,
}

impl Tree {
    /// Reads every file below `root` that is UTF-8; others (test vectors) are not ours to judge.
    pub fn read(root: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
            for entry in entries {
                let entry = entry?;
                if SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                    continue;
                }
                let path = entry.path();
                let kind = entry.file_type()?;
                if kind.is_dir() {
                    folders.push(path);
                } else if kind.is_file() {
                    let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
                    let below = path.strip_prefix(root).context("read below the root")?;
                    if let Ok(content) = String::from_utf8(bytes) {
                        files.insert(below.to_string_lossy().into_owned(), content);
                    }
                }
            }
        }
        Ok(Self { files })
    }

    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, content)| (path.as_str(), content.as_str()))
    }

    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(|(path, _)| path.ends_with(".rs"))
    }
}

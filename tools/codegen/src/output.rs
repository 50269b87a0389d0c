//! Writes the generated files, or compares them with what is there.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

/// Replaces every file of the folder.
pub fn replace(folder: &Path, files: Vec<(String, String)>) -> Result<()> {
    let files = formatted(files)?;
    fs::create_dir_all(folder)?;
    for name in present(folder)? {
        if !files.contains_key(&name) {
            fs::remove_file(folder.join(name))?;
        }
    }
    for (name, text) in files {
        let path = folder.join(name);
        if fs::read_to_string(&path).is_ok_and(|old| old == text) {
            continue;
        }
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// Fails where the folder differs from what would be written.
pub fn compare(folder: &Path, files: Vec<(String, String)>) -> Result<()> {
    let files = formatted(files)?;
    let mut differing: Vec<String> =
        present(folder)?.into_iter().filter(|name| !files.contains_key(name)).collect();
    for (name, text) in files {
        if fs::read_to_string(folder.join(&name)).unwrap_or_default() != text {
            differing.push(name);
        }
    }
    ensure!(differing.is_empty(), "not what the definitions give: {}", differing.join(", "));
    Ok(())
}

fn present(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

fn formatted(files: Vec<(String, String)>) -> Result<BTreeMap<String, String>> {
    files.into_iter().map(|(name, text)| Ok((name, rustfmt(&text)?))).collect()
}

/// Formats with the workspace's `rustfmt.toml`, which rustfmt finds from the current directory.
fn rustfmt(text: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("starting rustfmt")?;
    let mut input = child.stdin.take().context("rustfmt without an input")?;
    let output = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(text.as_bytes()));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        bail!("rustfmt refused:\n{text}");
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Replaces one file, or with `check` fails where it differs.
pub fn one(path: &Path, text: &str, check: bool) -> Result<()> {
    if !check {
        return fs::write(path, text).with_context(|| format!("writing {}", path.display()));
    }
    let is_same = fs::read_to_string(path).is_ok_and(|old| old == text);
    ensure!(is_same, "not what the definitions give: {}", path.display());
    Ok(())
}

//! How Klamm is started.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::Place;

/// The command that runs it.
pub fn command(place: &Place, directory: &Path, port: u16, admin_port: u16) -> Result<Vec<String>> {
    let binary = match &place.klamm_binary {
        Some(binary) => binary.clone(),
        None => beside_this().context("klamm-binary: where is the broker?")?,
    };
    ensure!(binary.exists(), "{} is not there; cargo build --release makes it", binary.display());
    let mut command = vec![binary.display().to_string(), "start".to_owned()];
    let settings = [
        format!("listeners=PLAINTEXT://127.0.0.1:{port}"),
        format!("advertised.listeners=PLAINTEXT://127.0.0.1:{port}"),
        format!("admin.listener=127.0.0.1:{admin_port}"),
        format!("log.dirs={}", directory.join("data").display()),
    ];
    for setting in settings.iter().chain(&place.klamm_overrides) {
        command.extend(["--override".to_owned(), setting.clone()]);
    }
    Ok(command)
}

/// Cargo builds both into one directory.
fn beside_this() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("klamm"))
}

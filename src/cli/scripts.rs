//! `scripts`: links by which the binary is called as Kafka's scripts are, so that their command lines run verbatim.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use thiserror::Error;

use super::arguments::ScriptsArguments;
use super::call::START_SCRIPT;
use super::tool::{complain, print};
use super::tools::TOOLS;

/// Why a link could not be written.
#[derive(Debug, Error)]
enum ScriptsError {
    #[error("where this program lies is not known: {0}")]
    Program(io::Error),
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("{0} is there already and is no link: remove it, or name another directory")]
    Taken(PathBuf),
}

/// Writes the links and says how many.
pub fn write_scripts(arguments: &ScriptsArguments) -> ExitCode {
    let directory = &arguments.directory;
    let written = std::env::current_exe()
        .map_err(ScriptsError::Program)
        .and_then(|program| write(&program, directory));
    match written {
        Ok(count) => {
            print(&format!("Wrote {count} links into {}.\n", directory.display()));
            ExitCode::SUCCESS
        }
        Err(error) => {
            complain(&format!("klamm: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Links to `program` under every script's two names; links that are there are replaced, files are not.
fn write(program: &Path, directory: &Path) -> Result<usize, ScriptsError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ScriptsError::Write { path, source }
    };
    fs::create_dir_all(directory).map_err(failed(directory))?;
    let scripts = TOOLS.iter().map(|tool| tool.name).chain([START_SCRIPT]);
    let links =
        scripts.flat_map(|script| [format!("kafka-{script}"), format!("kafka-{script}.sh")]);
    let links: Vec<PathBuf> = links.map(|name| directory.join(name)).collect();
    let is_file = |path: &&PathBuf| path.symlink_metadata().is_ok_and(|found| !found.is_symlink());
    if let Some(taken) = links.iter().find(is_file) {
        return Err(ScriptsError::Taken(taken.clone()));
    }
    for link in &links {
        match fs::remove_file(link) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed(link)(error));
            }
            _ => symlink(program, link).map_err(failed(link))?,
        }
    }
    Ok(links.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_written_again_and_files_are_kept() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let bin = directory.path().join("a/bin");
        let count = write(Path::new("/old/klamm"), &bin).expect("nothing is there yet");
        assert_eq!(count, 2 * (TOOLS.len() + 1));
        assert_eq!(write(Path::new("/new/klamm"), &bin).ok(), Some(count));
        for name in ["kafka-topics.sh", "kafka-topics", "kafka-server-start.sh"] {
            let target = fs::read_link(bin.join(name)).expect("it is a link");
            assert_eq!(target, Path::new("/new/klamm"), "{name}");
        }
        let kafkas = directory.path().join("kafka-console-consumer.sh");
        fs::write(&kafkas, "exec java").expect("the directory can be written");
        let error = write(Path::new("/new/klamm"), directory.path()).expect_err("a file is there");
        assert!(matches!(&error, ScriptsError::Taken(path) if *path == kafkas), "{error}");
        assert!(!directory.path().join("kafka-topics.sh").exists(), "nothing was begun");
    }
}

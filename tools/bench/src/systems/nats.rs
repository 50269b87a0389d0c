//! How NATS JetStream is fetched from the proxy of Go's modules, configured and started.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use super::{cache_dir, insist};
use crate::compare::Durability;

/// The server's version; its binary is kept in the user's cache.
const VERSION: &str = "2.15.2";

/// Fetches the server where it is not there yet, configures it, and gives the command that runs it.
pub fn set_up(directory: &Path, port: u16, durability: Durability) -> Result<Vec<String>> {
    let binary = binary()?;
    let config = directory.join("nats.conf");
    fs::write(&config, configuration(&directory.join("data"), port, durability))?;
    let (binary, config) = (binary.display().to_string(), config.display().to_string());
    insist(
        Command::new(&binary).args(["-t", "-c", &config]),
        "checking the configuration of NATS",
    )?;
    Ok(vec![binary, "-c".to_owned(), config])
}

/// Bytes that may wait for a connection before the server closes it: each consumer's flow control holds back its own
/// share of its default only, and reading a topic back has a consumer for each of its partitions.
const PENDING_MAX: &str = "1GB";

/// What an acknowledgement is worth with [`set_up`]'s configuration.
pub fn meaning(durability: Durability) -> &'static str {
    match durability {
        Durability::Durable => {
            "durable: acknowledged when on disk (sync_interval: always); each record is a message, not in a batch"
        }
        Durability::Relaxed => {
            "relaxed: acknowledged before it is on disk (sync_interval: 2 minutes, the default); each record is a message, not in a batch"
        }
    }
}

fn configuration(data: &Path, port: u16, durability: Durability) -> String {
    let sync = match durability {
        Durability::Durable => "  sync_interval: always\n",
        Durability::Relaxed => "",
    };
    format!(
        "listen: \"127.0.0.1:{port}\"\nmax_pending: {PENDING_MAX}\njetstream {{\n  store_dir: {:?}\n{sync}}}\n",
        data.display().to_string()
    )
}

/// The server's binary, built by Go at the first use.
fn binary() -> Result<PathBuf> {
    let cache = cache_dir()?.join(format!("nats-server-{VERSION}"));
    let binary = cache.join("nats-server");
    if binary.exists() {
        return Ok(binary);
    }
    let found = Command::new("go").arg("version").output();
    ensure!(
        found.is_ok_and(|output| output.status.success()),
        "comparing with NATS needs go, which is not here (https://go.dev/dl)"
    );
    eprintln!("building NATS {VERSION} from the proxy of Go's modules into {}", cache.display());
    fs::create_dir_all(&cache)?;
    insist(
        Command::new("go")
            .args(["install", &format!("github.com/nats-io/nats-server/v2@v{VERSION}")])
            .env("GOBIN", &cache),
        "building the NATS server",
    )?;
    ensure!(binary.exists(), "go has built no {}", binary.display());
    Ok(binary)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_durable_server_syncs_always() {
        let text = |durability| configuration(Path::new("/a b"), 4222, durability);
        assert_eq!(
            text(Durability::Durable),
            "listen: \"127.0.0.1:4222\"\nmax_pending: 1GB\njetstream {\n  store_dir: \"/a b\"\n  sync_interval: always\n}\n"
        );
        assert!(!text(Durability::Relaxed).contains("sync_interval"));
    }
}

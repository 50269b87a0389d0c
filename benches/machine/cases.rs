//! Cases that wait: their times, printed beside what is expected, and a journal to run them on.

use std::path::Path;
use std::time::Duration;

use klamm::runtime::Runtime;
use klamm::storage::directory::DirectoryId;
use klamm::storage::journal::{JournalIdentity, JournalOptions, parse_file_name};

use crate::machine::micros;

/// The files of a bench's journal.
const FILE_COUNT: u16 = 2;

/// Prints the times of a case.
pub fn print(name: &str, mut times: Vec<Duration>, expected: &str) {
    times.sort_unstable();
    println!(
        "{name:56} p25 {:9.3} p50 {:9.3} p99 {:9.3} us   expected: {expected}",
        micros(&times, 0.25),
        micros(&times, 0.5),
        micros(&times, 0.99),
    );
}

/// How the journal of a slot is opened; most of it is zeroed behind the opening.
pub fn journal_options(dir: &Path, slot: u16, file_bytes: usize) -> JournalOptions {
    let identity = JournalIdentity { directory: DirectoryId([7; 16]), slot, epoch: 1 };
    let file_bytes = file_bytes as u64;
    JournalOptions::new(dir, identity, file_bytes).with_files(file_bytes, FILE_COUNT)
}

/// Waits until the journals of all slots are zeroed, which would disturb commits.
pub async fn all_zeroed(runtime: &Runtime, options: &JournalOptions) {
    loop {
        let files = runtime.disk().list_dir(&options.dir).await.expect("it was made");
        let mut journals = files.iter().filter(|file| parse_file_name(&file.name).is_some());
        if journals.all(|file| file.len == options.file_bytes) {
            return;
        }
        runtime.sleep(Duration::from_millis(5)).await;
    }
}

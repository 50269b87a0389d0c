//! The superblock: which start epoch of a data directory is current.
//!
//! One file of two blocks, each a whole copy; an update writes the copy of its generation's parity
//! and leaves the other, so that a torn write costs nothing: the highest valid generation wins.
//! Little endian, zeros to the end of the block:
//!
//! ```text
//!  0  magic            8 bytes  "KLAMMSUP"
//!  8  format version   u16      1
//! 10  clean            u16      1 after a clean stop, else 0
//! 12  CRC-32C          u32      of bytes 0..12 and 16..4096
//! 16  directory id     16 bytes
//! 32  generation       u64      counts updates, from 1
//! 40  start epoch      u64      counts starts, from 1
//! ```

use std::io::ErrorKind;
use std::path::Path;

use crate::model::units::BLOCK;
use crate::record::checksum::{crc32c, crc32c_append};
use crate::runtime::disk::OpenMode;
use crate::runtime::{AlignedBuf, Runtime};
use crate::storage::directory::{DirectoryId, superblock_path};

const MAGIC: [u8; 8] = *b"KLAMMSUP";
const FORMAT_VERSION: u16 = 1;
/// Bytes of the file.
pub const SUPERBLOCK_BYTES: usize = 2 * BLOCK;

/// What one copy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Counts the updates of the file.
    pub generation: u64,
    /// The current start epoch: journals and checkpoints of any other are dead bytes.
    pub epoch: u64,
    /// The last process stopped cleanly: the checkpoints of `epoch` hold everything.
    pub clean: bool,
    /// The directory that it belongs to.
    pub directory: DirectoryId,
}

/// Why there is no superblock to start from, or why it cannot be updated.
#[derive(Debug, thiserror::Error)]
pub enum SuperblockError {
    /// Both copies are broken.
    #[error(
        "no copy of the superblock is whole: restore the file, or remove the data directory to \
         start empty"
    )]
    Broken,
    /// A newer build wrote it.
    #[error("superblock format {0} is unknown to this build: start the version that wrote it")]
    Version(u16),
    /// The file belongs to another directory.
    #[error("the superblock is of directory {0}, meta.properties says another: restore either")]
    Directory(DirectoryId),
    /// The disk failed.
    #[error("reading or writing the superblock: {0}")]
    Io(#[from] std::io::Error),
}

impl Superblock {
    /// The block that holds this copy.
    pub fn encode(&self) -> Vec<u8> {
        let mut block = vec![0; BLOCK];
        block[0..8].copy_from_slice(&MAGIC);
        block[8..10].copy_from_slice(&FORMAT_VERSION.to_le_bytes());
        block[10..12].copy_from_slice(&u16::from(self.clean).to_le_bytes());
        block[16..32].copy_from_slice(&self.directory.0);
        block[32..40].copy_from_slice(&self.generation.to_le_bytes());
        block[40..48].copy_from_slice(&self.epoch.to_le_bytes());
        let crc = checksum(&block);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        block
    }

    /// Where the copy lies in the file, in bytes.
    pub fn offset(&self) -> u64 {
        (self.generation % 2) * BLOCK as u64
    }

    /// Reads one copy; `None` where it is not whole.
    fn decode(block: &[u8]) -> Result<Option<Superblock>, SuperblockError> {
        if block.len() != BLOCK || block[0..8] != MAGIC {
            return Ok(None);
        }
        let number = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&block[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        if block[12..16] != checksum(block).to_le_bytes() {
            return Ok(None);
        }
        let version = u16::from_le_bytes([block[8], block[9]]);
        if version != FORMAT_VERSION {
            return Err(SuperblockError::Version(version));
        }
        let mut directory = [0; 16];
        directory.copy_from_slice(&block[16..32]);
        Ok(Some(Superblock {
            generation: number(32),
            epoch: number(40),
            clean: block[10] != 0,
            directory: DirectoryId(directory),
        }))
    }

    /// The update that follows this one.
    pub fn next(&self, epoch: u64, clean: bool) -> Superblock {
        Superblock { generation: self.generation + 1, epoch, clean, directory: self.directory }
    }

    /// Reads a data directory's superblock; `None` if it has none yet.
    ///
    /// # Errors
    /// Where no copy is whole, or the newest is of another build's format.
    pub async fn read(
        runtime: &Runtime,
        data: &Path,
        directory: DirectoryId,
    ) -> Result<Option<Superblock>, SuperblockError> {
        let path = superblock_path(data);
        let bytes = match runtime.disk().read_whole(&path, SUPERBLOCK_BYTES).await {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let newest = Superblock::pick(&bytes)?;
        if newest.directory == directory {
            Ok(Some(newest))
        } else {
            Err(SuperblockError::Directory(newest.directory))
        }
    }

    /// Makes this copy durable beside the one before; the first one makes the file.
    ///
    /// # Errors
    /// What the disk says.
    pub async fn write(&self, runtime: &Runtime, data: &Path) -> Result<(), SuperblockError> {
        let disk = runtime.disk();
        let path = superblock_path(data);
        let block = self.encode();
        if self.generation == 1 {
            let mut file = vec![0; SUPERBLOCK_BYTES];
            file[self.offset() as usize..][..BLOCK].copy_from_slice(&block);
            return Ok(disk.write_whole(&path, &file).await?);
        }
        let file = disk.open(&path, OpenMode::WRITE_DIRECT).await?;
        let mut buffer = AlignedBuf::zeroed(BLOCK);
        buffer.copy_from_slice(&block);
        let (_, result) = file.commit(buffer, BLOCK, self.offset()).await;
        Ok(result?)
    }

    /// Picks the newest whole copy of a file's bytes.
    pub fn pick(file: &[u8]) -> Result<Superblock, SuperblockError> {
        let mut newest: Option<Superblock> = None;
        for block in file.chunks(BLOCK).take(2) {
            if let Some(copy) = Superblock::decode(block)?
                && newest.is_none_or(|other| other.generation < copy.generation)
            {
                newest = Some(copy);
            }
        }
        newest.ok_or(SuperblockError::Broken)
    }
}

fn checksum(block: &[u8]) -> u32 {
    crc32c_append(crc32c(&block[..12]), &block[16..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim::{ImagePolicy, SimOptions, World};

    fn copy(generation: u64) -> Superblock {
        Superblock { generation, epoch: 7, clean: true, directory: DirectoryId([3; 16]) }
    }

    fn file(copies: &[Superblock]) -> Vec<u8> {
        let mut bytes = vec![0; SUPERBLOCK_BYTES];
        for copy in copies {
            let at = copy.offset() as usize;
            bytes[at..at + BLOCK].copy_from_slice(&copy.encode());
        }
        bytes
    }

    #[test]
    fn the_highest_valid_generation_wins() {
        for (copies, expected) in [
            (&[copy(1)][..], copy(1)),
            (&[copy(1), copy(2)], copy(2)),
            (&[copy(2), copy(3)], copy(3)),
        ] {
            assert_eq!(Superblock::pick(&file(copies)).expect("a whole copy"), expected);
        }
    }

    #[test]
    fn a_copy_torn_at_any_sector_leaves_the_other() {
        let before = file(&[copy(4), copy(5)]);
        let update = Superblock { clean: false, epoch: 8, ..copy(6) };
        for sectors in 0..=BLOCK / 512 {
            let mut torn = before.clone();
            let at = update.offset() as usize;
            torn[at..at + sectors * 512].copy_from_slice(&update.encode()[..sectors * 512]);
            let read = Superblock::pick(&torn).expect("a whole copy");
            // Only the first sector differs, the rest of the block is zeros in both.
            assert_eq!(read, if sectors == 0 { copy(5) } else { update });
        }
    }

    #[test]
    fn no_bit_flips_unseen() {
        let whole = file(&[copy(1)]);
        for bit in 0..BLOCK * 8 {
            let mut flipped = whole.clone();
            flipped[BLOCK + bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Superblock::pick(&flipped), Err(SuperblockError::Broken)));
        }
        for cut in 0..SUPERBLOCK_BYTES {
            assert!(Superblock::pick(&whole[..cut]).is_err());
        }
    }

    #[test]
    fn another_format_is_named() {
        let mut block = copy(1).encode();
        block[8] = 2;
        let crc = checksum(&block);
        block[12..16].copy_from_slice(&crc.to_le_bytes());
        let mut bytes = vec![0; BLOCK];
        bytes.extend_from_slice(&block);
        assert!(matches!(Superblock::pick(&bytes), Err(SuperblockError::Version(2))));
    }

    #[test]
    fn every_crash_leaves_the_old_or_the_new_copy() {
        let data = Path::new("/data");
        let directory = DirectoryId([3; 16]);
        let world = World::new(1, SimOptions::default());
        let host = world.host();
        let runtime = host.runtime();
        world.run_until(runtime.disk().create_dir_all(data)).expect("a folder");
        world.run_until(runtime.disk().sync_dir(Path::new("/"))).expect("a folder");
        host.start_recording();
        for generation in 1..=8 {
            world.run_until(copy(generation).write(&runtime, data)).expect("written");
            host.note(generation);
        }
        let (mut images, mut news) = (0, 0);
        for image in host.recording().crash_images(ImagePolicy::default()) {
            let world = World::new(2, SimOptions::instant());
            let runtime = world.host_from(&image.image).runtime();
            let read = world.run_until(Superblock::read(&runtime, data, directory));
            let told = image.notes().last().copied().unwrap_or(0);
            match read.expect("one copy is always whole") {
                None => assert_eq!(told, 0),
                Some(found) => {
                    assert!(found.generation == told || found.generation == told + 1);
                    news += usize::from(found.generation > told);
                }
            }
            images += 1;
        }
        assert!(images > 30 && news > 7, "{images} images, {news} not yet told of");
    }
}

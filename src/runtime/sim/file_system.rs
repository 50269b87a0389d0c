//! A simulated file system's state: inodes and names, cheap to copy.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

use rustc_hash::FxHasher;

use super::page::{FileData, Payload};
use crate::runtime::random::mixed;

/// A file's or directory's number; never used again.
pub(super) type Inode = usize;

pub(super) const ROOT: Inode = 0;
/// Symbolic links that one path may lead through, as on Linux.
const LINKS_MAX: usize = 40;

#[derive(Clone)]
pub(super) enum Node {
    File(FileData),
    Dir(BTreeMap<Rc<str>, Inode>),
    Link(PathBuf),
}

/// One change of the file system; each is lost or survives a power loss on its own.
pub(super) enum Change {
    Write {
        inode: Inode,
        offset: u64,
        payload: Payload,
    },
    SetLen {
        inode: Inode,
        len: u64,
    },
    /// A new name for a new node.
    Create {
        dir: Inode,
        name: Rc<str>,
        inode: Inode,
        node: Node,
    },
    Remove {
        dir: Inode,
        name: Rc<str>,
    },
    Rename {
        from: (Inode, Rc<str>),
        to: (Inode, Rc<str>),
        inode: Inode,
    },
}

/// All nodes. A clone shares them; a change copies the node that it touches.
#[derive(Clone)]
pub(super) struct FileSystem {
    nodes: Vec<Option<Rc<Node>>>,
}

fn error(kind: io::ErrorKind, path: &Path) -> io::Error {
    io::Error::new(kind, format!("{}: {kind}", path.display()))
}

impl FileSystem {
    pub(super) fn new() -> Self {
        FileSystem { nodes: vec![Some(Rc::new(Node::Dir(BTreeMap::new())))] }
    }

    /// The first number that no inode has had.
    pub(super) fn next_inode(&self) -> Inode {
        self.nodes.len()
    }

    pub(super) fn node(&self, inode: Inode) -> Option<&Node> {
        self.nodes.get(inode)?.as_deref()
    }

    pub(super) fn file(&self, inode: Inode) -> Option<&FileData> {
        match self.node(inode) {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    /// The file, made empty if this state has not seen its creation.
    pub(super) fn file_mut(&mut self, inode: Inode) -> &mut FileData {
        match self.node_mut(inode, || Node::File(FileData::default())) {
            Node::File(file) => file,
            _ => unreachable!("a write goes to a file"),
        }
    }

    fn dir_mut(&mut self, inode: Inode) -> &mut BTreeMap<Rc<str>, Inode> {
        match self.node_mut(inode, || Node::Dir(BTreeMap::new())) {
            Node::Dir(names) => names,
            _ => unreachable!("a name is in a directory"),
        }
    }

    fn node_mut(&mut self, inode: Inode, new: impl FnOnce() -> Node) -> &mut Node {
        if self.nodes.len() <= inode {
            self.nodes.resize(inode + 1, None);
        }
        Rc::make_mut(self.nodes[inode].get_or_insert_with(|| Rc::new(new())))
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Write { inode, offset, payload } => {
                payload.write_to(self.file_mut(*inode), *offset);
            }
            Change::SetLen { inode, len } => self.file_mut(*inode).set_len(*len),
            Change::Create { dir, name, inode, node } => {
                self.node_mut(*inode, || node.clone());
                self.dir_mut(*dir).insert(Rc::clone(name), *inode);
            }
            Change::Remove { dir, name } => {
                self.dir_mut(*dir).remove(name);
            }
            // No file system gives what was never made a second name.
            Change::Rename { inode, .. } if self.node(*inode).is_none() => {}
            Change::Rename { from, to, inode } => {
                let source = self.dir_mut(from.0);
                if source.get(&from.1) == Some(inode) {
                    source.remove(&from.1);
                }
                self.dir_mut(to.0).insert(Rc::clone(&to.1), *inode);
            }
        }
    }

    /// Drops a node that no name leads to.
    pub(super) fn forget(&mut self, inode: Inode) {
        if let Some(node) = self.nodes.get_mut(inode) {
            *node = None;
        }
    }

    /// The node of a path; links in it are followed, the last part's only on request.
    pub(super) fn find(&self, path: &Path, follow_last: bool) -> io::Result<Inode> {
        let mut links = 0;
        let inode = self.walk(ROOT, path, follow_last, &mut links)?;
        inode.ok_or_else(|| error(io::ErrorKind::NotFound, path))
    }

    /// The directory that holds the last part of a path, and that part.
    pub(super) fn find_parent(&self, path: &Path) -> io::Result<(Inode, Rc<str>)> {
        let invalid = || error(io::ErrorKind::InvalidInput, path);
        let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(invalid)?;
        let dir = self.find(path.parent().unwrap_or(Path::new("")), true)?;
        match self.node(dir) {
            Some(Node::Dir(_)) => Ok((dir, Rc::from(name))),
            _ => Err(error(io::ErrorKind::NotADirectory, path)),
        }
    }

    fn walk(
        &self,
        start: Inode,
        path: &Path,
        follow_last: bool,
        links: &mut usize,
    ) -> io::Result<Option<Inode>> {
        let mut trail = vec![start];
        let mut parts = path.components().peekable();
        while let Some(part) = parts.next() {
            let here = *trail.last().expect("the trail never loses its start");
            let name = match part {
                Component::RootDir | Component::Prefix(_) => {
                    trail = vec![ROOT];
                    continue;
                }
                Component::CurDir => continue,
                Component::ParentDir => {
                    if trail.len() > 1 {
                        trail.pop();
                    }
                    continue;
                }
                Component::Normal(name) => name,
            };
            let Some(Node::Dir(names)) = self.node(here) else {
                return Err(error(io::ErrorKind::NotADirectory, path));
            };
            let name = name.to_str().ok_or_else(|| error(io::ErrorKind::InvalidInput, path))?;
            let Some(&inode) = names.get(name) else { return Ok(None) };
            match self.node(inode) {
                Some(Node::Link(target)) if follow_last || parts.peek().is_some() => {
                    *links += 1;
                    if *links > LINKS_MAX {
                        return Err(error(io::ErrorKind::InvalidInput, path));
                    }
                    match self.walk(here, target, true, links)? {
                        Some(inode) => trail.push(inode),
                        None => return Ok(None),
                    }
                }
                _ => trail.push(inode),
            }
        }
        Ok(trail.last().copied())
    }

    /// Every node that a name leads to, with a hash of the whole: equal for equal trees, whatever
    /// their history.
    pub(super) fn reachable(&self) -> (Vec<Inode>, u64) {
        let mut found = vec![ROOT];
        let hash = self.hash_tree(ROOT, &mut found);
        (found, hash)
    }

    fn hash_tree(&self, inode: Inode, found: &mut Vec<Inode>) -> u64 {
        match self.node(inode) {
            None => 0,
            Some(Node::File(file)) => mixed(file.hash()),
            Some(Node::Link(target)) => {
                let mut hasher = FxHasher::default();
                target.hash(&mut hasher);
                mixed(hasher.finish() ^ 1)
            }
            Some(Node::Dir(names)) => {
                let mut sum = 2u64;
                for (name, child) in names {
                    found.push(*child);
                    let mut hasher = FxHasher::default();
                    name.hash(&mut hasher);
                    let child = self.hash_tree(*child, found);
                    sum = sum.wrapping_add(mixed(hasher.finish() ^ mixed(child)));
                }
                mixed(sum)
            }
        }
    }

    /// Keeps only what a name leads to; returns the hash of the tree.
    pub(super) fn prune(&mut self) -> u64 {
        let (found, hash) = self.reachable();
        let mut kept = vec![None; self.nodes.len()];
        for inode in found {
            kept[inode] = self.nodes[inode].take();
        }
        self.nodes = kept;
        hash
    }

    /// Bytes of disk that all files occupy.
    pub(super) fn bytes_used(&self) -> u64 {
        let files = self.nodes.iter().flatten().map(|node| match node.as_ref() {
            Node::File(file) => file.bytes_on_disk(),
            _ => 0,
        });
        files.sum()
    }
}

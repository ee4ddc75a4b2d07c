//! The names on the simulated disk: those the kernel shows, those the device has, and the changes between the two.
//!
//! The device keeps any subset of the changes that have not been synced, except where that would leave a file or
//! directory that was renamed without a name, or with two. So a change is kept only together with the earlier ones
//! - of the same name,
//! - inside the directory that it removes,
//! - that made the directories which a rename leads to.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use super::random::{Keep, Random};
use crate::io::memory::tree::{Change, DirId, Node, Place, ROOT, Tree};

/// A file, under whatever name.
pub(super) type FileId = u64;

#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// What the kernel shows.
    pub(super) current: Tree<FileId>,
    durable: Tree<FileId>,
    /// What `current` has gone through since `durable`, in order.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    change: Change<FileId>,
    is_from_synced: bool,
    is_to_synced: bool,
}

impl Names {
    /// Carries out a change that is not durable yet.
    pub(super) fn apply(&mut self, change: Change<FileId>) {
        self.current.apply(&change);
        let (is_from_synced, is_to_synced) = (change.from.is_none(), change.to.is_none());
        self.pending.push(Pending { change, is_from_synced, is_to_synced });
    }

    /// Makes durable what has happened to the names along `path`.
    pub(super) fn make_durable(&mut self, path: &Path) -> io::Result<()> {
        let (place, via) = self.current.place(path)?;
        let is_on_path = |touched: &Place| *touched == place || via.contains(touched);
        self.keep(|pending| pending.change.from.iter().chain(&pending.change.to).any(is_on_path));
        Ok(())
    }

    /// Makes the changes of names in `dir` durable. A rename is once the directories of both its names are synced.
    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let dir = self.current.dir(dir)?;
        let is_in_dir = |place: &Option<Place>| place.as_ref().is_some_and(|place| place.dir == dir);
        for pending in &mut self.pending {
            pending.is_from_synced |= is_in_dir(&pending.change.from);
            pending.is_to_synced |= is_in_dir(&pending.change.to);
        }
        self.keep(|pending| pending.is_from_synced && pending.is_to_synced);
        Ok(())
    }

    fn keep(&mut self, is_kept: impl FnMut(&Pending) -> bool) {
        let kept = with_those_before(&self.pending, is_kept);
        let mut kept_in_order = kept.iter();
        self.pending.retain(|pending| {
            let is_kept = *kept_in_order.next().expect("one for each pending change");
            if is_kept {
                self.durable.apply(&pending.change);
            }
            !is_kept
        });
    }

    /// The names that the device has after the loss of power.
    pub(super) fn after_power_loss(&self, random: &mut Random) -> Self {
        let keep = Keep::choose(random);
        let kept = with_those_before(&self.pending, |_| match keep {
            Keep::All => true,
            Keep::None => false,
            Keep::Some => random.coin(),
        });
        let mut device = self.durable.clone();
        for (pending, is_kept) in self.pending.iter().zip(kept) {
            if is_kept {
                device.apply(&pending.change);
            }
        }
        let reachable = reachable(&device);
        Self { current: reachable.clone(), durable: reachable, pending: Vec::new() }
    }

    /// All files that the kernel shows.
    pub(super) fn files(&self) -> Vec<(PathBuf, FileId)> {
        let mut files = Vec::new();
        walk(&self.current, ROOT, &mut PathBuf::from("/"), &mut |_, path, node| {
            if let Node::File(file) = node {
                files.push((path.to_owned(), *file));
            }
        });
        files
    }

    /// All files that have a name, or may have one after a crash.
    pub(super) fn files_that_may_remain(&self) -> BTreeSet<FileId> {
        let pending = self.pending.iter().map(|pending| &pending.change.node);
        let nodes = self.current.names.values().chain(self.durable.names.values()).chain(pending);
        nodes.filter_map(|node| if let Node::File(file) = node { Some(*file) } else { None }).collect()
    }
}

/// Which changes are kept if those are that `is_kept` asks for: they and what they need.
fn with_those_before(pending: &[Pending], mut is_kept: impl FnMut(&Pending) -> bool) -> Vec<bool> {
    let mut needed_places: BTreeSet<&Place> = BTreeSet::new();
    let mut needed_dirs: BTreeSet<DirId> = BTreeSet::new();
    let mut kept = vec![false; pending.len()];
    for (index, candidate) in pending.iter().enumerate().rev() {
        let change = &candidate.change;
        let mut places = change.from.iter().chain(&change.to);
        let is_needed = places.any(|place| needed_places.contains(place) || needed_dirs.contains(&place.dir));
        // The closure is asked in any case, so that its random choices do not depend on the answer.
        if is_kept(candidate) | is_needed {
            kept[index] = true;
            needed_places.extend(change.from.iter().chain(&change.to).chain(&change.via));
            if let (Node::Dir(removed), None) = (&change.node, &change.to) {
                needed_dirs.insert(*removed);
            }
        }
    }
    kept
}

/// The tree without the names in directories that have lost theirs.
fn reachable(tree: &Tree<FileId>) -> Tree<FileId> {
    let mut reachable = Tree::default();
    walk(tree, ROOT, &mut PathBuf::new(), &mut |place, _, node| {
        reachable.apply(&Change { from: None, to: Some(place.clone()), node: node.clone(), via: Vec::new() });
    });
    reachable
}

fn walk(tree: &Tree<FileId>, dir: DirId, path: &mut PathBuf, visit: &mut impl FnMut(&Place, &Path, &Node<FileId>)) {
    for (place, node) in tree.children(dir) {
        path.push(&place.name);
        visit(place, path, node);
        if let Node::Dir(child) = node {
            walk(tree, *child, path, visit);
        }
        path.pop();
    }
}

//! The names of files and directories in memory, and the rules for changing them.
//!
//! A change is first planned, which checks the rules and touches nothing, and then applied. The simulated disk applies
//! the same changes a second time, when and if they become durable.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::path::{Component, Path};

/// A directory, under whatever name.
pub(crate) type DirId = u64;

/// The directory that all paths start from. It has no name and is always there.
pub(crate) const ROOT: DirId = 0;

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) dir: DirId,
    pub(crate) name: String,
}

/// What a name stands for; `F` is a handle to a file.
#[derive(Clone, Debug)]
pub(crate) enum Node<F> {
    Dir(DirId),
    File(F),
}

/// One atomic change of names: a creation has no `from`, a removal no `to`, a rename both.
#[derive(Clone, Debug)]
pub(crate) struct Change<F> {
    pub(crate) from: Option<Place>,
    pub(crate) to: Option<Place>,
    pub(crate) node: Node<F>,
    /// The names of the directories that lead to a rename's `to`.
    #[cfg_attr(not(feature = "sim"), expect(dead_code, reason = "only durability asks how a place was reached"))]
    pub(crate) via: Vec<Place>,
}

impl<F> Change<F> {
    fn create(to: Place, node: Node<F>) -> Self {
        Self { from: None, to: Some(to), node, via: Vec::new() }
    }

    fn remove(from: Place, node: Node<F>) -> Self {
        Self { from: Some(from), to: None, node, via: Vec::new() }
    }
}

/// A tree of names, kept flat.
#[derive(Clone, Debug)]
pub(crate) struct Tree<F> {
    pub(crate) names: BTreeMap<Place, Node<F>>,
    next_dir: DirId,
}

impl<F> Default for Tree<F> {
    fn default() -> Self {
        Self { names: BTreeMap::new(), next_dir: ROOT + 1 }
    }
}

impl<F: Clone> Tree<F> {
    /// The directory at `path`.
    pub(crate) fn dir(&self, path: &Path) -> io::Result<DirId> {
        self.descend(&names_of(path)?).map(|(dir, _)| dir)
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &Path) -> io::Result<F> {
        match self.node(path)? {
            Node::File(file) => Ok(file.clone()),
            Node::Dir(_) => Err(ErrorKind::IsADirectory.into()),
        }
    }

    /// What the directory holds, by name.
    pub(crate) fn children(&self, dir: DirId) -> impl Iterator<Item = (&Place, &Node<F>)> {
        let first = Place { dir, name: String::new() };
        self.names.range(first..).take_while(move |(place, _)| place.dir == dir)
    }

    /// The directories that are missing on the way to `path`, from the top.
    pub(crate) fn plan_create_dir_all(&self, path: &Path) -> io::Result<Vec<Change<F>>> {
        let (mut dir, mut next_dir, mut changes) = (ROOT, self.next_dir, Vec::new());
        for name in names_of(path)? {
            let place = Place { dir, name: name.to_owned() };
            dir = match self.names.get(&place) {
                Some(Node::Dir(existing)) => *existing,
                Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => {
                    changes.push(Change::create(place, Node::Dir(next_dir)));
                    next_dir += 1;
                    next_dir - 1
                }
            };
        }
        Ok(changes)
    }

    /// The creation of a file at `path`, where there is none.
    pub(crate) fn plan_create_file(&self, path: &Path, file: F) -> io::Result<Change<F>> {
        let (place, _) = self.place(path)?;
        match self.names.get(&place) {
            Some(_) => Err(ErrorKind::AlreadyExists.into()),
            None => Ok(Change::create(place, Node::File(file))),
        }
    }

    /// A rename; `None` if it would change nothing.
    pub(crate) fn plan_rename(&self, from: &Path, to: &Path) -> io::Result<Option<Change<F>>> {
        let node = self.node(from)?;
        let (from, _) = self.place(from)?;
        let (to, via) = self.place(to)?;
        if from == to {
            return Ok(None);
        }
        if via.contains(&from) {
            return Err(io::Error::new(ErrorKind::InvalidInput, "a directory can't be moved into itself"));
        }
        match (node, self.names.get(&to)) {
            (_, None) | (Node::File(_), Some(Node::File(_))) => {}
            (Node::File(_), Some(Node::Dir(_))) => return Err(ErrorKind::IsADirectory.into()),
            (Node::Dir(_), Some(_)) => return Err(ErrorKind::AlreadyExists.into()),
        }
        Ok(Some(Change { from: Some(from), to: Some(to), node: node.clone(), via }))
    }

    /// The removal of the file at `path`.
    pub(crate) fn plan_remove_file(&self, path: &Path) -> io::Result<Change<F>> {
        let file = self.file(path)?;
        Ok(Change::remove(self.place(path)?.0, Node::File(file)))
    }

    /// The removal of the directory at `path`, after that of everything in it.
    pub(crate) fn plan_remove_dir_all(&self, path: &Path) -> io::Result<Vec<Change<F>>> {
        let dir = self.dir(path)?;
        let (place, _) = self.place(path)?;
        let mut changes = Vec::new();
        self.plan_removals(dir, &mut changes);
        changes.push(Change::remove(place, Node::Dir(dir)));
        Ok(changes)
    }

    fn plan_removals(&self, dir: DirId, changes: &mut Vec<Change<F>>) {
        for (place, node) in self.children(dir) {
            if let Node::Dir(child) = node {
                self.plan_removals(*child, changes);
            }
            changes.push(Change::remove(place.clone(), node.clone()));
        }
    }

    /// Carries out a change.
    pub(crate) fn apply(&mut self, change: &Change<F>) {
        if let Some(from) = &change.from {
            self.names.remove(from);
        }
        if let Some(to) = &change.to {
            self.names.insert(to.clone(), change.node.clone());
        }
        if let Node::Dir(dir) = change.node {
            self.next_dir = self.next_dir.max(dir + 1);
        }
    }

    fn node(&self, path: &Path) -> io::Result<&Node<F>> {
        let (place, _) = self.place(path)?;
        self.names.get(&place).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Where `path` is or would be, and the names of the directories that lead there, which have to exist.
    pub(crate) fn place(&self, path: &Path) -> io::Result<(Place, Vec<Place>)> {
        let names = names_of(path)?;
        let Some((name, dirs)) = names.split_last() else {
            return Err(io::Error::new(ErrorKind::InvalidInput, "the root has no name"));
        };
        let (dir, via) = self.descend(dirs)?;
        Ok((Place { dir, name: (*name).to_owned() }, via))
    }

    fn descend(&self, names: &[&str]) -> io::Result<(DirId, Vec<Place>)> {
        let (mut dir, mut via) = (ROOT, Vec::with_capacity(names.len()));
        for name in names {
            let place = Place { dir, name: (*name).to_owned() };
            dir = match self.names.get(&place) {
                Some(Node::Dir(child)) => *child,
                Some(Node::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                None => return Err(ErrorKind::NotFound.into()),
            };
            via.push(place);
        }
        Ok((dir, via))
    }
}

/// The names along a path. There is no working directory, so absolute and relative paths start from the same root.
fn names_of(path: &Path) -> io::Result<Vec<&str>> {
    let invalid = |why| io::Error::new(ErrorKind::InvalidInput, why);
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) => names.push(name.to_str().ok_or_else(|| invalid("the path is not UTF-8"))?),
            Component::ParentDir => return Err(invalid("`..` is not supported in memory")),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    Ok(names)
}

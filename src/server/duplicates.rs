//! What a request names more than once. A client has no reason to, and a short request could otherwise ask for the same
//! long answer, or the same work, as often as it has bytes.

use std::collections::HashSet;
use std::hash::Hash;

/// `items`, each once.
pub(super) fn once<T: Clone + Eq + Hash>(items: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let mut seen = HashSet::new();
    items.into_iter().filter(move |item| seen.insert(item.clone()))
}

/// Those of `items` that are there more than once.
pub(super) fn duplicates<T: Copy + Eq + Hash>(items: impl IntoIterator<Item = T>) -> HashSet<T> {
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    for item in items {
        if !seen.insert(item) {
            twice.insert(item);
        }
    }
    twice
}

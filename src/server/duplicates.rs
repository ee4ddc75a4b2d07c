//! What a request names more than once. A client has no reason to, and a short request could otherwise ask for the same
//! long answer, or the same work, as often as it has bytes.

use std::collections::HashSet;
use std::hash::Hash;

/// `items`, each once.
pub(super) fn once<T: Clone + Eq + Hash>(items: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    let mut seen = HashSet::new();
    items.into_iter().filter(move |item| seen.insert(item.clone()))
}

/// Leaves each of `items` there once, by its `key`, and returns the keys that were there more often: each is refused,
/// and has one answer.
pub(super) fn merge<T, K: Clone + Eq + Hash>(items: &mut Vec<T>, key: impl Fn(&T) -> K) -> HashSet<K> {
    let (mut seen, mut twice) = (HashSet::new(), HashSet::new());
    items.retain(|item| {
        let key = key(item);
        let is_new = seen.insert(key.clone());
        if !is_new {
            twice.insert(key);
        }
        is_new
    });
    twice
}

/// Those of `items` that are there more than once.
pub(super) fn duplicates<T: Copy + Eq + Hash>(items: impl IntoIterator<Item = T>) -> HashSet<T> {
    merge(&mut items.into_iter().collect(), |item| *item)
}

//! What layers above keep with a store, one instance for all who use it: the coordinator of groups. It knows its store
//! without holding it open.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::{Store, StoreInner};

#[derive(Debug, Default)]
pub(super) struct Attached(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

/// A store, as long as somebody else holds it.
#[derive(Clone)]
pub(crate) struct WeakStore(Weak<StoreInner>);

impl WeakStore {
    pub(crate) fn upgrade(&self) -> Option<Store> {
        self.0.upgrade().map(|inner| Store { inner })
    }
}

impl Store {
    pub(crate) fn downgrade(&self) -> WeakStore {
        WeakStore(Arc::downgrade(&self.inner))
    }

    /// The store's one `T`, which is made when it is asked for first.
    pub(crate) fn attached<T: Any + Send + Sync>(&self, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let mut attached = self.inner.attached.0.lock();
        let known = attached.get(&TypeId::of::<T>()).cloned().and_then(|known| known.downcast().ok());
        known.unwrap_or_else(|| {
            let made = make();
            attached.insert(TypeId::of::<T>(), made.clone());
            made
        })
    }
}

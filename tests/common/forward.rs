//! For storages that stand before another one, `inner`, and differ from it in a call or two.

/// The named methods of [`Storage`](esker::io::Storage), passed on to `self.inner`.
macro_rules! forward {
    ($($method:ident)+) => { $($crate::common::forward::forward!(@ $method);)+ };
    (@ create_dir_all) => {
        fn create_dir_all(&self, dir: &std::path::Path) -> std::io::Result<()> {
            self.inner.create_dir_all(dir)
        }
    };
    (@ list) => {
        fn list(&self, dir: &std::path::Path) -> std::io::Result<Vec<esker::io::DirEntry>> {
            self.inner.list(dir)
        }
    };
    (@ len) => {
        fn len(&self, path: &std::path::Path) -> std::io::Result<u64> {
            self.inner.len(path)
        }
    };
    (@ read) => {
        fn read(&self, path: &std::path::Path) -> std::io::Result<Vec<u8>> {
            self.inner.read(path)
        }
    };
    (@ open) => {
        fn open(&self, path: &std::path::Path) -> std::io::Result<std::sync::Arc<dyn esker::io::StorageFile>> {
            self.inner.open(path)
        }
    };
    (@ open_shared) => {
        fn open_shared(&self, path: &std::path::Path) -> std::io::Result<std::sync::Arc<dyn esker::io::StorageFile>> {
            self.inner.open_shared(path)
        }
    };
    (@ copy_file) => {
        fn copy_file(&self, from: &std::path::Path, to: &std::path::Path, len: u64) -> std::io::Result<()> {
            self.inner.copy_file(from, to, len)
        }
    };
    (@ truncate) => {
        fn truncate(&self, path: &std::path::Path, len: u64) -> std::io::Result<()> {
            self.inner.truncate(path, len)
        }
    };
    (@ rename) => {
        fn rename(&self, from: &std::path::Path, to: &std::path::Path) -> std::io::Result<()> {
            self.inner.rename(from, to)
        }
    };
    (@ remove_file) => {
        fn remove_file(&self, path: &std::path::Path) -> std::io::Result<()> {
            self.inner.remove_file(path)
        }
    };
    (@ remove_dir_all) => {
        fn remove_dir_all(&self, dir: &std::path::Path) -> std::io::Result<()> {
            self.inner.remove_dir_all(dir)
        }
    };
    (@ sync_dir) => {
        fn sync_dir(&self, dir: &std::path::Path) -> std::io::Result<()> {
            self.inner.sync_dir(dir)
        }
    };
    (@ lock) => {
        fn lock(&self, path: &std::path::Path) -> Result<Box<dyn esker::io::StorageLock>, esker::io::Locked> {
            self.inner.lock(path)
        }
    };
}

pub(crate) use forward;

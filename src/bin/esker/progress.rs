//! How far long work has come: a bar on a terminal, nothing elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on stderr, which goes when it is dropped. Where stderr is no terminal it draws nothing.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// How much of some bytes is done, how fast, and how long the rest takes.
    pub(crate) fn of_bytes(what: &'static str) -> Self {
        let template = "{msg} [{bar:30}] {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
        Self::new(what, template)
    }

    /// How much of some records is done, how fast, and how long the rest takes.
    pub(crate) fn of_records(what: &'static str) -> Self {
        Self::new(what, "{msg} [{bar:30}] {human_pos} of {human_len} records, {per_sec}, {eta} left")
    }

    fn new(what: &'static str, template: &str) -> Self {
        // Ten times a second is enough for people, and costs nothing beside the work.
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
        let style = ProgressStyle::with_template(template).expect("the template is well-formed");
        bar.set_style(style.progress_chars("=> "));
        bar.set_message(what);
        Self { bar }
    }

    pub(crate) fn set(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

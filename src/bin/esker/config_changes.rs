//! The options that change configs, of topics and of groups.

use esker::AlterConfigOp;

use crate::key_value::key_value;

#[derive(Debug, clap::Args)]
pub(crate) struct ConfigChanges {
    /// Give a config a value, such as retention.ms=86400000 of a topic
    #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
    set: Vec<(String, String)>,
    /// Take a config back to its default
    #[arg(long = "delete-config", value_name = "KEY")]
    delete: Vec<String>,
}

impl ConfigChanges {
    pub(crate) fn operations(&self) -> impl Iterator<Item = AlterConfigOp> {
        let set = self.set.iter().map(|(key, value)| AlterConfigOp::set(key, value));
        set.chain(self.delete.iter().map(AlterConfigOp::delete))
    }
}

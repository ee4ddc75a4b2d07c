//! Configs, as they are described wherever they are.

use esker::ConfigEntry;
use serde::Serialize;

/// A config of a topic or a group.
#[derive(Debug, Serialize)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: &'static str,
    pub(crate) r#type: &'static str,
    pub(crate) synonyms: Vec<Synonym>,
    pub(crate) documentation: String,
}

/// A place where a config could come from, and what it says.
#[derive(Debug, Serialize)]
pub(crate) struct Synonym {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: &'static str,
}

impl From<&ConfigEntry> for Config {
    fn from(from: &ConfigEntry) -> Self {
        let synonym = |from: &esker::ConfigSynonym| Synonym {
            name: from.name.to_owned(),
            value: from.value.clone(),
            source: from.source.name(),
        };
        Self {
            name: from.name.to_owned(),
            value: from.value.clone(),
            source: from.source.name(),
            r#type: from.config_type.name(),
            synonyms: from.synonyms.iter().map(synonym).collect(),
            documentation: from.documentation.to_owned(),
        }
    }
}

//! Messages against Kafka's own definitions of them, and against its classes.

use esker::net::codec::{Field, Kind, Schema, VersionRange};
use esker::net::messages::{AnyRequest, AnyResponse};
use esker::net::{ApiKey, ErrorCode};
use esker_kafka_tests::process::request;
use serde_json::{Value, json};

use crate::generate;
use crate::random::Random;

fn schemas() -> impl Iterator<Item = (ApiKey, bool, &'static Schema)> {
    let both = |&api| [(api, false, AnyRequest::schema(api)), (api, true, AnyResponse::schema(api))];
    ApiKey::ALL.iter().flat_map(both)
}

/// "3+", "1-4", "2" or "none".
fn range(text: &Value) -> VersionRange {
    let number = |text: &str| text.parse::<i16>().unwrap();
    match text.as_str().unwrap_or("none") {
        "none" => VersionRange::NONE,
        text => match (text.strip_suffix('+'), text.split_once('-')) {
            (Some(first), _) => VersionRange::new(number(first), i16::MAX),
            (_, Some((first, last))) => VersionRange::new(number(first), number(last)),
            _ => VersionRange::new(number(text), number(text)),
        },
    }
}

/// A name without what tells `topic_id` from `TopicId`.
fn plain(name: &str) -> String {
    name.trim_start_matches("r#").replace('_', "").to_lowercase()
}

/// A default, unless it is zero, empty or null.
fn default(text: &str) -> Option<i64> {
    let hex = text.strip_prefix("0x").map(|digits| i64::from_str_radix(digits, 16).unwrap());
    let named = match text {
        "" | "null" | "false" | "False" => Some(0),
        "true" | "True" => Some(1),
        "i32::MAX" => Some(i32::MAX.into()),
        "i32::MIN" => Some(i32::MIN.into()),
        "i64::MAX" => Some(i64::MAX),
        _ => None,
    };
    hex.or(named).or_else(|| Some(text.parse().unwrap())).filter(|value| *value != 0)
}

struct Definition {
    /// Structs that several fields share.
    common: Vec<Value>,
    version: i16,
}

impl Definition {
    fn compare_struct(&self, schema: &Schema, fields: &[Value], path: &str) {
        let has = |field: &&Value| range(&field["versions"]).contains(self.version);
        let theirs: Vec<&Value> = fields.iter().filter(has).collect();
        let ours = || schema.fields.iter().filter(|field| field.versions.contains(self.version));
        let our_names: Vec<String> = ours().map(|field| plain(field.name)).collect();
        let their_names: Vec<String> = theirs.iter().map(|field| plain(field["name"].as_str().unwrap())).collect();
        assert_eq!(our_names, their_names, "{path}");
        for (field, definition) in ours().zip(theirs) {
            self.compare_field(field, definition, &format!("{path}, {}", field.name));
        }
        // Those that this version hasn't got.
        for field in schema.fields.iter().filter(|field| !field.versions.contains(self.version)) {
            let theirs = fields.iter().find(|theirs| plain(theirs["name"].as_str().unwrap()) == plain(field.name));
            let ignorable = theirs.and_then(|field| field["ignorable"].as_bool()).unwrap_or(false);
            assert_eq!(field.ignorable, ignorable, "{path}, {} is ignorable", field.name);
        }
    }

    fn compare_field(&self, field: &Field, definition: &Value, path: &str) {
        let in_version = |range: VersionRange| range.contains(self.version);
        assert_eq!(in_version(field.nullable), in_version(range(&definition["nullableVersions"])), "{path} is null");
        let tag = in_version(range(&definition["taggedVersions"])).then(|| definition["tag"].as_u64().unwrap() as u32);
        assert_eq!(field.tag, tag, "{path}");
        let theirs = match &definition["default"] {
            Value::Null => None,
            Value::String(text) => default(text),
            other => default(&other.to_string()),
        };
        assert_eq!(field.default.and_then(default), theirs, "{path}");
        self.compare_kind(field.kind, definition["type"].as_str().unwrap(), definition, path);
    }

    fn compare_kind(&self, kind: &Kind, name: &str, definition: &Value, path: &str) {
        match (kind, name) {
            (Kind::Array(element), _) => {
                self.compare_kind(element, name.strip_prefix("[]").expect(path), definition, path);
            }
            (Kind::Struct(schema), _) => {
                let shared = self.common.iter().find(|common| common["name"] == name);
                let fields = definition.get("fields").or(shared.map(|common| &common["fields"])).expect(path);
                self.compare_struct(schema, fields.as_array().unwrap(), path);
            }
            (Kind::Bytes, "records") => {}
            (kind, name) => assert_eq!(format!("{kind:?}").to_lowercase(), name, "{path}"),
        }
    }
}

#[test]
fn messages_are_what_kafka_defines() {
    for (api, _, schema) in schemas() {
        let definition = request(&json!({"command": "message_definition", "name": schema.name})).clean();
        assert_eq!(definition["apiKey"], api.key());
        let versions = range(&definition["validVersions"]);
        assert_eq!((versions.first..=versions.last), api.versions(), "{}", schema.name);
        let common = definition["commonStructs"].as_array().cloned().unwrap_or_default();
        let fields = definition["fields"].as_array().unwrap();
        for version in api.versions() {
            let flexible = range(&definition["flexibleVersions"]).contains(version);
            assert_eq!(api.is_flexible(version), flexible, "{} {version}", schema.name);
            let definition = Definition { common: common.clone(), version };
            definition.compare_struct(schema, fields, &format!("{} {version}", schema.name));
        }
    }
}

#[test]
fn kafka_reads_every_message_and_writes_it_the_same() {
    let mut random = Random::new(0);
    let mut messages = Vec::new();
    for (api, is_response, schema) in schemas() {
        for version in api.versions() {
            for _ in 0..4 {
                let bytes = generate::message(schema, version, api.is_flexible(version), &mut random);
                // Held to be the same for ours in its own tests.
                let bytes: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                messages.push(json!({
                    "api_key": api.key(), "version": version, "is_response": is_response, "bytes": bytes,
                }));
            }
        }
    }
    let echoes = request(&json!({"command": "echo_messages", "messages": messages})).clean();
    for (message, echo) in messages.iter().zip(echoes.as_array().unwrap()) {
        assert_eq!((&echo["left"], &echo["bytes"]), (&json!(0), &message["bytes"]), "{message}");
    }
    assert_eq!(messages.len(), echoes.as_array().unwrap().len());
}

#[test]
fn error_codes_are_kafkas() {
    let errors = request(&json!({"command": "errors"})).clean();
    let ours = ErrorCode::ALL
        .iter()
        .map(|code| json!({"code": code.0, "name": code.name(), "is_retriable": code.is_retriable()}));
    assert_eq!(errors, Value::Array(ours.collect()));
}

//! Messages at random: bytes written from what a schema says, by other code than the encoder's.

use esker::net::ApiKey;
use esker::net::codec::{Field, Kind, Schema};
use esker::net::messages::{AnyRequest, AnyResponse};

use crate::random::Random;

/// Which of the two messages of an API.
#[derive(Clone, Copy, Debug)]
pub enum Direction {
    Request,
    Response,
}

impl Direction {
    pub const BOTH: [Self; 2] = [Self::Request, Self::Response];

    pub fn schema(self, api: ApiKey) -> &'static Schema {
        match self {
            Self::Request => AnyRequest::schema(api),
            Self::Response => AnyResponse::schema(api),
        }
    }
}

/// One message of version `version`, as bytes.
pub fn message(schema: &Schema, version: i16, flexible: bool, random: &mut Random) -> Vec<u8> {
    let mut generator = Generator { version, flexible, random, bytes: Vec::new() };
    generator.structure(schema, false);
    generator.bytes
}

/// The message that takes the most memory for its size: everything in it is empty, but for the arrays `depth` deep,
/// which have `count` elements each.
pub fn bloated(schema: &Schema, version: i16, flexible: bool, depth: usize, count: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    bloated_struct(schema, version, flexible, depth, count, &mut bytes);
    bytes
}

fn bloated_struct(schema: &Schema, version: i16, flexible: bool, depth: usize, count: usize, bytes: &mut Vec<u8>) {
    for field in schema.fields.iter().filter(|field| field.tag.is_none() && field.versions.contains(version)) {
        let length = |length: usize, bytes: &mut Vec<u8>, size: usize| match flexible {
            true => unsigned_varint(length as u64 + 1, bytes),
            false => bytes.extend(&(length as u32).to_be_bytes()[4 - size..]),
        };
        match field.kind {
            Kind::Bool | Kind::Int8 => bytes.push(0),
            Kind::Int16 | Kind::Uint16 => bytes.extend([0; 2]),
            Kind::Int32 => bytes.extend([0; 4]),
            Kind::Int64 | Kind::Float64 => bytes.extend([0; 8]),
            Kind::Uuid => bytes.extend([0; 16]),
            Kind::String => length(0, bytes, 2),
            Kind::Bytes => length(0, bytes, 4),
            Kind::Array(Kind::Struct(element)) => {
                let elements = [0, count, 1][if depth == 0 { 0 } else { depth.min(2) }];
                length(elements, bytes, 4);
                for _ in 0..elements {
                    bloated_struct(element, version, flexible, depth - 1, count, bytes);
                }
            }
            Kind::Array(element) => {
                let elements = if depth == 1 { count } else { 0 };
                length(elements, bytes, 4);
                for _ in 0..elements {
                    match (element, flexible) {
                        (Kind::String, true) => bytes.push(1),
                        (Kind::String | Kind::Int16, _) => bytes.extend([0; 2]),
                        (Kind::Int8, _) => bytes.push(0),
                        (Kind::Int32, _) => bytes.extend([0; 4]),
                        (Kind::Int64, _) => bytes.extend([0; 8]),
                        (Kind::Uuid, _) => bytes.extend([0; 16]),
                        _ => panic!("an array of {element:?}"),
                    }
                }
            }
            Kind::Struct(inner) => {
                if field.nullable.contains(version) {
                    bytes.push(1);
                }
                bloated_struct(inner, version, flexible, depth, count, bytes);
            }
            other => panic!("{other:?} is new"),
        }
    }
    if flexible {
        bytes.push(0);
    }
}

pub(crate) fn unsigned_varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

struct Generator<'r> {
    version: i16,
    flexible: bool,
    random: &'r mut Random,
    bytes: Vec<u8>,
}

impl Generator<'_> {
    /// A struct. What is `set` differs from its default.
    fn structure(&mut self, schema: &Schema, set: bool) {
        let fields = || schema.fields.iter().filter(|field| field.versions.contains(self.version));
        let (mut tagged, untagged): (Vec<_>, Vec<_>) = fields().partition(|field| field.tag.is_some());
        for field in untagged {
            self.field(field, set);
        }
        if !self.flexible {
            assert!(tagged.is_empty(), "{}: a tag in a version without tags", schema.name);
            return;
        }
        tagged.retain(|_| self.random.one_in(2));
        tagged.sort_by_key(|field| field.tag);
        self.unsigned_varint(tagged.len() as u64);
        for field in tagged {
            let outer = std::mem::take(&mut self.bytes);
            // Nobody writes a tagged field that has its default.
            self.field(field, true);
            let value = std::mem::replace(&mut self.bytes, outer);
            self.unsigned_varint(field.tag.unwrap().into());
            self.unsigned_varint(value.len() as u64);
            self.bytes.extend(value);
        }
    }

    fn field(&mut self, field: &Field, set: bool) {
        if !set && field.nullable.contains(self.version) && self.random.one_in(4) {
            match (field.kind, self.flexible) {
                (Kind::Struct(_), _) => self.bytes.push(0xff),
                (_, true) => self.bytes.push(0),
                (Kind::String, false) => self.bytes.extend((-1i16).to_be_bytes()),
                (_, false) => self.bytes.extend((-1i32).to_be_bytes()),
            }
            return;
        }
        if let (Kind::Struct(_), true) = (field.kind, field.nullable.contains(self.version)) {
            self.bytes.push(1);
        }
        self.value(field.kind, field.default, set);
    }

    fn value(&mut self, kind: &Kind, default: Option<&str>, set: bool) {
        match kind {
            Kind::Bool => {
                let default = default == Some("true");
                let value = if set { !default } else { self.random.one_in(2) };
                self.bytes.push(value.into());
            }
            Kind::Int8 => self.integer(1, set),
            Kind::Int16 | Kind::Uint16 => self.integer(2, set),
            Kind::Int32 => self.integer(4, set),
            Kind::Int64 => self.integer(8, set),
            // Nobody finds one again that is no number.
            Kind::Float64 => self.bytes.extend((1.0 + self.random.below(1 << 20) as f64 / 64.0).to_be_bytes()),
            Kind::Uuid => self.integer(16, set),
            Kind::String => {
                let letters: &[char] = &['a', 'Z', '0', '.', '-', '_', '"', '\\', 'é', '漢'];
                let count = self.length(12, set);
                let text: String = (0..count).map(|_| *self.random.pick(letters)).collect();
                self.string_length(text.len());
                self.bytes.extend(text.bytes());
            }
            Kind::Bytes => {
                // Some are long enough for the encoder to pass them on.
                let max = if self.random.one_in(8) { 3000 } else { 20 };
                let length = self.length(max, set);
                self.length_of_bytes(length);
                self.bytes.extend((0..length).map(|_| self.random.next() as u8));
            }
            Kind::Array(element) => {
                let count = self.length(3, set);
                self.length_of_bytes(count);
                for _ in 0..count {
                    self.value(element, None, false);
                }
            }
            Kind::Struct(schema) => self.structure(schema, set),
            other => panic!("{other:?} is new"),
        }
    }

    /// No default has these bytes.
    fn integer(&mut self, size: usize, set: bool) {
        let extreme = !set && self.random.one_in(4);
        let extremes = [0x00, 0x7f, 0x80, 0xff];
        for _ in 0..size {
            let byte = if extreme { *self.random.pick(&extremes) } else { 1 + self.random.below(0x7e) as u8 };
            self.bytes.push(byte);
        }
    }

    fn length(&mut self, max: u64, set: bool) -> usize {
        let least = u64::from(set);
        (least + self.random.below(max + 1 - least)) as usize
    }

    fn string_length(&mut self, length: usize) {
        match self.flexible {
            true => self.unsigned_varint(length as u64 + 1),
            false => self.bytes.extend((length as i16).to_be_bytes()),
        }
    }

    fn length_of_bytes(&mut self, length: usize) {
        match self.flexible {
            true => self.unsigned_varint(length as u64 + 1),
            false => self.bytes.extend((length as i32).to_be_bytes()),
        }
    }

    fn unsigned_varint(&mut self, value: u64) {
        unsigned_varint(value, &mut self.bytes);
    }
}

//! The values of configs: how each type is read and written, and which values are valid, as in Kafka's `ConfigDef`.

use std::fmt::Display;

use super::{
    BrokerCompressionType, CleanupPolicy, ConfigType, ConsumerGroupAssignor, ConsumerGroupMigrationPolicy, SyncPolicy,
    invalid,
};
use crate::error::Result;
use crate::types::TimestampType;

/// A type that a config can have.
pub(super) trait ConfigValue: Clone + PartialEq {
    const TYPE: ConfigType;

    /// What is expected where a value is none of this type's.
    const EXPECTED: &'static str;

    /// What Kafka says of a value that is none of this type's, if that is known.
    #[cfg_attr(not(feature = "net"), allow(dead_code, reason = "a server tells its clients"))]
    const REFUSAL: Option<&'static str> = None;

    /// The part of a value because of which it is none of this type's.
    #[cfg_attr(not(feature = "net"), allow(dead_code, reason = "a server tells its clients"))]
    fn refused(value: &str) -> &str {
        value
    }

    fn parse(value: &str) -> Option<Self>;

    /// As Kafka writes it.
    fn print(&self) -> String;
}

/// A type of number.
pub(super) trait Number: ConfigValue + Copy + PartialOrd + Display + 'static {
    /// The greatest there is.
    const GREATEST: Self;
}

macro_rules! numbers {
    ($($type:ty: $config_type:ident = $name:literal),+) => {$(
        impl ConfigValue for $type {
            const TYPE: ConfigType = ConfigType::$config_type;
            const EXPECTED: &'static str = "a number";
            const REFUSAL: Option<&'static str> = Some(concat!("Not a number of type ", $name));

            fn parse(value: &str) -> Option<Self> {
                value.trim().parse().ok()
            }

            fn print(&self) -> String {
                // Where there is no −1, which is Kafka's for no limit, the greatest number stands for it.
                if Self::MIN == 0 && *self == Self::MAX { "-1".to_owned() } else { self.to_string() }
            }
        }

        impl Number for $type {
            const GREATEST: Self = <$type>::MAX;
        }
    )+};
}

numbers!(i32: Int = "INT", i64: Long = "LONG", u64: Long = "LONG", usize: Int = "INT");

impl ConfigValue for f64 {
    const TYPE: ConfigType = ConfigType::Double;
    const EXPECTED: &'static str = "a number";
    const REFUSAL: Option<&'static str> = Some("Not a number of type DOUBLE");

    fn parse(value: &str) -> Option<Self> {
        value.trim().parse().ok()
    }

    /// As Java does: `0.5`, `1.0E7`.
    fn print(&self) -> String {
        let is_plain = *self == 0.0 || (1e-3..1e7).contains(&self.abs());
        let digits = if is_plain { format!("{self:?}") } else { format!("{self:e}") };
        match digits.split_once('e') {
            Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
            Some((digit, exponent)) => format!("{digit}.0E{exponent}"),
            None => digits,
        }
    }
}

impl Number for f64 {
    const GREATEST: Self = Self::MAX;
}

/// A number that need not be set. Nothing stands for none.
impl<T: Number> ConfigValue for Option<T> {
    const TYPE: ConfigType = T::TYPE;
    const EXPECTED: &'static str = "a number, or nothing";

    fn parse(value: &str) -> Option<Self> {
        if value.trim().is_empty() { Some(None) } else { T::parse(value).map(Some) }
    }

    fn print(&self) -> String {
        self.map(|number| number.print()).unwrap_or_default()
    }
}

impl ConfigValue for String {
    const TYPE: ConfigType = ConfigType::String;
    const EXPECTED: &'static str = "text";

    fn parse(value: &str) -> Option<Self> {
        Some(value.to_owned())
    }

    fn print(&self) -> String {
        self.clone()
    }
}

impl ConfigValue for bool {
    const TYPE: ConfigType = ConfigType::Boolean;
    const EXPECTED: &'static str = "true or false";
    const REFUSAL: Option<&'static str> = Some("Expected value to be either true or false");

    fn parse(value: &str) -> Option<Self> {
        value.trim().to_ascii_lowercase().parse().ok()
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl ConfigValue for CleanupPolicy {
    const TYPE: ConfigType = ConfigType::List;
    const EXPECTED: &'static str = "a list of delete and compact";
    const REFUSAL: Option<&'static str> = Some("String must be one of: compact, delete");

    fn refused(value: &str) -> &str {
        value.split(',').map(str::trim).find(|name| Self::parse(name).is_none()).unwrap_or(value)
    }

    fn parse(value: &str) -> Option<Self> {
        Self::parse(value)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

/// Types that are one of a few words.
macro_rules! words {
    ($($type:ty: $expected:literal $(, in Kafka $words:literal)?;)+) => {$(
        impl ConfigValue for $type {
            const TYPE: ConfigType = ConfigType::String;
            const EXPECTED: &'static str = $expected;
            $(const REFUSAL: Option<&'static str> = Some(concat!("String must be one of: ", $words));)?

            fn parse(value: &str) -> Option<Self> {
                Self::parse(value)
            }

            fn print(&self) -> String {
                self.name().to_owned()
            }
        }
    )+};
}

words! {
    BrokerCompressionType: "one of producer, uncompressed, gzip, snappy, lz4, zstd",
        in Kafka "uncompressed, zstd, lz4, snappy, gzip, producer";
    ConsumerGroupMigrationPolicy: "one of bidirectional, upgrade, downgrade, disabled";
    SyncPolicy: "always or os-managed";
}

impl ConfigValue for Vec<String> {
    const TYPE: ConfigType = ConfigType::List;
    const EXPECTED: &'static str = "a list";

    fn parse(value: &str) -> Option<Self> {
        let is_empty = value.trim().is_empty();
        Some(if is_empty { Self::new() } else { value.split(',').map(|word| word.trim().to_owned()).collect() })
    }

    fn print(&self) -> String {
        self.join(",")
    }
}

/// A number for each of some hosts.
impl ConfigValue for Vec<(String, i32)> {
    const TYPE: ConfigType = ConfigType::String;
    const EXPECTED: &'static str = "a list of host:count";

    fn parse(value: &str) -> Option<Self> {
        let words = value.split(',').map(str::trim).filter(|word| !word.is_empty());
        let pair = |word: &str| {
            // An address of IPv6 has colons too.
            let (host, count) = word.rsplit_once(':')?;
            let count = count.trim().parse().ok().filter(|count| *count >= 0)?;
            Some((host.trim().to_owned(), count)).filter(|(host, _)| !host.is_empty())
        };
        words.map(pair).collect()
    }

    fn print(&self) -> String {
        self.iter().map(|(host, count)| format!("{host}:{count}")).collect::<Vec<_>>().join(",")
    }
}

impl ConfigValue for Vec<ConsumerGroupAssignor> {
    const TYPE: ConfigType = ConfigType::List;
    const EXPECTED: &'static str = "a list of uniform and range";

    fn parse(value: &str) -> Option<Self> {
        ConsumerGroupAssignor::parse_list(value)
    }

    fn print(&self) -> String {
        self.iter().map(|assignor| assignor.name()).collect::<Vec<_>>().join(",")
    }
}

impl ConfigValue for TimestampType {
    const TYPE: ConfigType = ConfigType::String;
    const EXPECTED: &'static str = "CreateTime or LogAppendTime";
    const REFUSAL: Option<&'static str> = Some("String must be one of: CreateTime, LogAppendTime");

    fn parse(value: &str) -> Option<Self> {
        match value {
            "CreateTime" => Some(Self::CreateTime),
            "LogAppendTime" => Some(Self::LogAppendTime),
            _ => None,
        }
    }

    fn print(&self) -> String {
        match self {
            Self::CreateTime => "CreateTime".to_owned(),
            Self::LogAppendTime => "LogAppendTime".to_owned(),
        }
    }
}

/// What Kafka says of a value.
type Refusal<T> = Box<dyn Fn(&T) -> String>;

/// Which values of its type a config takes.
pub(super) struct Valid<T> {
    accepts: Box<dyn Fn(&T) -> bool>,
    expected: String,
    /// What Kafka says of a value of the type that is not accepted, if that is known.
    #[cfg_attr(not(feature = "net"), allow(dead_code, reason = "a server tells its clients"))]
    refusal: Option<Refusal<T>>,
    /// The number below which a value stands for no limit, and the value that is none.
    no_limit: Option<(i64, T)>,
}

impl<T: ConfigValue> Valid<T> {
    pub(super) fn new(accepts: impl Fn(&T) -> bool + 'static, expected: impl Into<String>) -> Self {
        Self { accepts: Box::new(accepts), expected: expected.into(), refusal: None, no_limit: None }
    }

    /// The same, and what Kafka says of what is not accepted.
    fn refusing(mut self, refusal: impl Fn(&T) -> String + 'static) -> Self {
        self.refusal = Some(Box::new(refusal));
        self
    }

    /// What Kafka says of a value that the config `key` can't have, if that is known (`ConfigException`).
    #[cfg(feature = "net")]
    pub(super) fn refusal(&self, key: &str, value: &str) -> Option<String> {
        let (value, reason) = match T::parse(value) {
            Some(parsed) if (self.accepts)(&parsed) => return None,
            Some(parsed) => (parsed.print(), self.refusal.as_ref()?(&parsed)),
            None => (T::refused(value).to_owned(), T::REFUSAL?.to_owned()),
        };
        Some(format!("Invalid value {value} for configuration {key}: {reason}"))
    }

    /// Reads the value of the config `key`.
    pub(super) fn parse(&self, key: &str, value: &str) -> Result<T> {
        let is_below = |min: i64| i64::parse(value).is_some_and(|number| number < min);
        if let Some((_, greatest)) = self.no_limit.as_ref().filter(|(min, _)| is_below(*min)) {
            return Ok(greatest.clone());
        }
        let parsed = T::parse(value).filter(|parsed| (self.accepts)(parsed));
        let told = if T::TYPE == ConfigType::Password { "[hidden]" } else { value };
        parsed.ok_or_else(|| invalid(key, told, self.expected.as_str()))
    }

    /// Fails if the config `key` can't have this value.
    pub(super) fn check(&self, key: &str, value: &T) -> Result<()> {
        if (self.accepts)(value) { Ok(()) } else { Err(invalid(key, &value.print(), self.expected.as_str())) }
    }
}

impl<T: Number> Valid<T> {
    /// Takes what is below `min` for no limit, as Kafka does: for the greatest number.
    #[cfg(feature = "net")]
    pub(super) fn or_no_limit_below(mut self, min: i64) -> Self {
        self.expected = format!("{}, or one below {min} for no limit", self.expected);
        self.no_limit = Some((min, T::GREATEST));
        self
    }
}

/// Any value of the type.
pub(super) fn any<T: ConfigValue>() -> Valid<T> {
    Valid::new(|_| true, T::EXPECTED)
}

/// A number from `min` up.
pub(super) fn at_least<T: Number>(min: T) -> Valid<T> {
    between(min, T::GREATEST)
}

/// A number from `min` to `max`.
pub(super) fn between<T: Number>(min: T, max: T) -> Valid<T> {
    let expected = format!("a number from {min} to {max}");
    Valid::new(move |value| (&min..=&max).contains(&value), expected).refusing(move |value| match *value < min {
        true => format!("Value must be at least {min}"),
        false => format!("Value must be no more than {max}"),
    })
}

/// −1, or a number from `min` to `max`.
pub(super) fn minus_one_or_between(min: i32, max: i32) -> Valid<i32> {
    let expected = format!("-1 or a number from {min} to {max}");
    Valid::new(move |value| *value == -1 || (min..=max).contains(value), expected)
        .refusing(move |_| format!("Value must be between {min} and {max} or equal to -1"))
}

/// Replicas that Kafka throttles (`ThrottledReplicaListValidator`).
pub(super) fn throttled_replicas() -> Valid<Vec<String>> {
    const FORM: &str = "the literal '*' or a list of replicas in the following format: \
                        [partitionId]:[brokerId],[partitionId]:[brokerId],...";
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_replica = move |word: &String| {
        word.is_empty() || word.split_once(':').is_some_and(|(index, broker)| is_number(index) && is_number(broker))
    };
    Valid::new(move |replicas: &Vec<String>| replicas.iter().all(is_replica) || replicas.concat() == "*", FORM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_a_point_are_written_as_java_does() {
        for (number, written) in [
            (0.0, "0.0"),
            (0.5, "0.5"),
            (1_000_000.0, "1000000.0"),
            (1e7, "1.0E7"),
            (12_345_678.0, "1.2345678E7"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (f64::MAX, "1.7976931348623157E308"),
        ] {
            assert_eq!(number.print(), written);
            assert_eq!(f64::parse(written), Some(number));
        }
    }
}

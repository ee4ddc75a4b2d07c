//! The table that a set of configs is: fields with their types, defaults, keys and valid values.

/// Which values are valid, as documentation says it of a config. Says nothing where all of the type are.
macro_rules! in_words {
    (any()) => {
        ""
    };
    (at_least($min:expr)) => {
        concat!(", `", stringify!($min), "` or more")
    };
    (at_least($min:expr).or_no_limit_below($below:expr)) => {
        concat!(", `", stringify!($min), "` or more, or less than `", stringify!($below), "` for no limit")
    };
    (between($min:expr, i32::MAX as usize)) => {
        in_words!(between($min, 2_147_483_647))
    };
    (between($min:expr, $max:expr)) => {
        concat!(", from `", stringify!($min), "` to `", stringify!($max), "`")
    };
    (minus_one_or_between($min:expr, $max:expr)) => {
        concat!(", `-1`, or from `", stringify!($min), "` to `", stringify!($max), "`")
    };
    (throttled_replicas()) => {
        ", `*`, or `partition:replica` each"
    };
    (Valid::unset()) => {
        ", which must be empty"
    };
    (Valid::some()) => {
        ", one at least"
    };
    (Valid::new($accepts:expr, $words:literal)) => {
        concat!(", ", $words)
    };
}

/// Declares configs as a struct: for each the field, type, default, key, and which values are valid. Keys that are not
/// in the table are those of the struct in the field behind `with`. A field behind `planting` is for tests alone. What
/// configs must be together is for the method behind `held to` to say.
macro_rules! configs {
    (
        $(#[$meta:meta])* $name:ident, each $what:literal, checked when $when:literal
            $(, with $(#[doc = $rest_doc:literal])+ $rest:ident: $rest_type:ty)?
            $(, planting $planted:ident: $planted_type:ty)?
            $(, held to $together:ident)?;
        $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr, $key:literal,
            $rule:ident $(:: $of:ident)? ($($argument:tt)*) $(. $but:ident ($($limit:tt)*))?;)+
    ) => {
        $(#[$meta])*
        ///
        /// More configs may come with any version, so construct it with `..Default::default()`.
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                ///
                #[doc = concat!("Config `", $key, "`",
                    in_words!($rule $(::$of)? ($($argument)*) $(.$but($($limit)*))?),
                    "; default `", stringify!($default),
                    "`. Checked when ", $when, ".")]
                pub $field: $type,
            )+
            $($(#[doc = $rest_doc])+ pub $rest: $rest_type,)?
            $(#[cfg(feature = "sim")] #[doc(hidden)] pub $planted: $planted_type,)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self {
                    $($field: $default,)+
                    $($rest: <$rest_type>::default(),)?
                    $(#[cfg(feature = "sim")] $planted: <$planted_type>::default(),)?
                }
            }
        }

        impl $name {
            /// Sets a config by the name that Kafka has for it.
            ///
            /// # Errors
            /// [`Error::InvalidConfig`](crate::Error::InvalidConfig) if there is no such config here or the value is
            /// not one of its values.
            pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
                match key {
                    $($key => self.$field = $rule $(::$of)? ($($argument)*) $(.$but($($limit)*))?.parse(key, value)?,)+
                    $(_ if <$rest_type>::has(key) => self.$rest.set(key, value)?,)?
                    _ => return Err(invalid(key, value, $what)),
                }
                Ok(())
            }

            /// Whether there is a config of this name.
            pub fn has(key: &str) -> bool {
                match key {
                    $($key => true,)+
                    _ => false $(|| <$rest_type>::has(key))?,
                }
            }

            /// What there is to say of all configs.
            #[allow(dead_code, reason = "nobody asks clients for theirs")]
            pub(crate) fn describe(&self) -> Vec<ConfigEntry> {
                let default = Self::default();
                #[allow(unused_mut, reason = "not every table has another behind it")]
                let mut entries =
                    vec![$(field_entry($key, concat!($($doc),+), &self.$field, &default.$field),)+];
                $(entries.extend(self.$rest.describe());)?
                entries
            }

            /// The names of all configs.
            pub fn keys() -> impl Iterator<Item = &'static str> {
                [$($key),+].into_iter()$(.chain(<$rest_type>::keys()))?
            }

            pub(crate) fn validate(&self) -> Result<()> {
                $(Valid::<$type>::check(&$rule $(::$of)? ($($argument)*) $(.$but($($limit)*))?, $key, &self.$field)?;)+
                $(self.$rest.validate()?;)?
                $(self.$together()?;)?
                Ok(())
            }
        }
    };
}

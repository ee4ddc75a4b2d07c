//! The form in which messages are declared: each field once, with the versions that have it.

/// Declares the structs of a message. Each becomes a plain struct with public fields, a `Default` and both directions
/// of the codec:
///
/// ```text
/// message! {
///     /// Asks for something.
///     SomethingRequest {
///         name: String,                        // in all versions
///         limit: i32 [2.., ignorable] = -1,    // in versions from 2 on; older ones are sent without it
///         zone: Option<String> [null 3..],     // null only in versions from 3 on
///         parts: Vec<Part> [4..=7, tag 0],     // in versions 4 to 7, as tagged field 0
///     }
///
///     /// A part of it.
///     Part { … }
/// }
/// ```
///
/// A field that a version hasn't got is read as its default, which is zero, empty or null unless it is written. It can
/// be sent in such a version only if it has its default or is `ignorable`.
macro_rules! message {
    ($(
        $(#[$meta:meta])*
        $name:ident {
            $($(#[$field_meta:meta])* $field:ident: $type:ty $([$($rules:tt)*])? $(= $default:expr)?,)*
        }
    )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[doc = ""]
                #[doc = concat!(in_versions!($($($rules)*)?) $(, " Default `", stringify!($default), "`.")?)]
                pub $field: $type,
            )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: or_default!($($default)?),)* }
            }
        }

        impl $crate::net::codec::Wire for $name {
            const KIND: $crate::net::codec::Kind = $crate::net::codec::Kind::Struct(&$crate::net::codec::Schema {
                name: stringify!($name),
                fields: &[$(field!($field, $type, [$($($rules)*)?], [$($default)?]),)*],
            });

            fn encode(
                &self,
                to: &mut $crate::net::codec::Encoder,
            ) -> Result<(), $crate::net::protocol_error::ProtocolError> {
                let mut tagged = Default::default();
                $({
                    const FIELD: $crate::net::codec::Field =
                        field!($field, $type, [$($($rules)*)?], []);
                    let default = || or_default!($($default)?);
                    to.put_field(&FIELD, &self.$field, default, &mut tagged)?;
                })*
                to.put_tagged(tagged)
            }

            fn decode(
                from: &mut $crate::net::codec::Decoder,
            ) -> Result<Self, $crate::net::protocol_error::ProtocolError> {
                let mut message = Self::default();
                $({
                    const FIELD: $crate::net::codec::Field =
                        field!($field, $type, [$($($rules)*)?], []);
                    from.take_field(&FIELD, &mut message.$field)?;
                })*
                from.take_tagged(|_tag, _from| {
                    $({
                        const FIELD: $crate::net::codec::Field =
                            field!($field, $type, [$($($rules)*)?], []);
                        _from.take_tagged_field(_tag, &FIELD, &mut message.$field)?;
                    })*
                    Ok(())
                })?;
                Ok(message)
            }
        }
    )*};
}

/// The `Field` that a declaration makes.
macro_rules! field {
    ($name:ident, $type:ty, [$($rules:tt)*], [$($default:expr)?]) => {
        ruled!(
            $crate::net::codec::Field::new(
                stringify!($name),
                &<$type as $crate::net::codec::Wire>::KIND,
                <$type as $crate::net::codec::Wire>::NULLABLE,
            )
            .default(stringify!($($default)?));
            $($rules)*
        )
    };
}

/// A `Field` with what stands in its brackets, one rule after the other.
macro_rules! ruled {
    ($field:expr;) => { $field };
    ($field:expr; null $first:literal.. $(, $($rest:tt)*)?) => {
        ruled!($field.nullable($first, i16::MAX); $($($rest)*)?)
    };
    ($field:expr; tag $tag:literal $(, $($rest:tt)*)?) => {
        ruled!($field.tag($tag); $($($rest)*)?)
    };
    ($field:expr; ignorable $(, $($rest:tt)*)?) => {
        ruled!($field.ignorable(); $($($rest)*)?)
    };
    ($field:expr; $first:literal.. $(, $($rest:tt)*)?) => {
        ruled!($field.versions($first, i16::MAX); $($($rest)*)?)
    };
    ($field:expr; $first:literal..=$last:literal $(, $($rest:tt)*)?) => {
        ruled!($field.versions($first, $last); $($($rest)*)?)
    };
    ($field:expr; ..=$last:literal $(, $($rest:tt)*)?) => {
        ruled!($field.versions(0, $last); $($($rest)*)?)
    };
}

/// The rules of a field for its documentation.
macro_rules! in_versions {
    () => { "In all versions." };
    ($($rules:tt)+) => { concat!("Versions and rules: `", stringify!($($rules)+), "`.") };
}

macro_rules! or_default {
    () => {
        Default::default()
    };
    ($default:expr) => {
        $default
    };
}

//! What Kafka has a number and a name for: clients are sent the one, and people shown the other.

/// Declares an enum of such things.
macro_rules! numbered {
    ($(#[$meta:meta])* $enum:ident { $($(#[$doc:meta])* $variant:ident = $id:literal, $name:literal;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum $enum {
            $($(#[$doc])* $variant,)+
        }

        impl $enum {
            /// Kafka's number for it.
            pub const fn id(self) -> i8 {
                match self {
                    $(Self::$variant => $id,)+
                }
            }

            /// Each of them, in the order of the numbers.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// What has this number, if anything has.
            pub const fn from_id(id: i8) -> Option<Self> {
                match id {
                    $($id => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// Kafka's name for it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

numbered! {
    /// Where the value of a config comes from.
    ConfigSource {
        /// The topic's own configuration.
        DynamicTopicConfig = 1, "DYNAMIC_TOPIC_CONFIG";
        /// The configuration of one broker of a cluster, where that can change while it runs: not here.
        DynamicBrokerConfig = 2, "DYNAMIC_BROKER_CONFIG";
        /// The same of all brokers.
        DynamicDefaultBrokerConfig = 3, "DYNAMIC_DEFAULT_BROKER_CONFIG";
        /// What the store was opened with, or a server started: [`StoreConfig`](super::StoreConfig), its
        /// [`topic_defaults`](super::StoreConfig::topic_defaults) among it, or `ServerConfig`.
        StaticBrokerConfig = 4, "STATIC_BROKER_CONFIG";
        /// Kafka's default.
        DefaultConfig = 5, "DEFAULT_CONFIG";
        /// The group's own configuration.
        DynamicGroupConfig = 8, "DYNAMIC_GROUP_CONFIG";
    }
}

numbered! {
    /// The type of a config's value.
    ConfigType {
        /// `true` or `false`.
        Boolean = 1, "BOOLEAN";
        /// Text, often one of a few words.
        String = 2, "STRING";
        /// A number of 32 bits.
        Int = 3, "INT";
        /// A number of 16 bits.
        Short = 4, "SHORT";
        /// A number of 64 bits.
        Long = 5, "LONG";
        /// A floating-point number.
        Double = 6, "DOUBLE";
        /// Words between commas.
        List = 7, "LIST";
        /// The name of a class: of other clusters.
        Class = 8, "CLASS";
        /// Text that is not told.
        Password = 9, "PASSWORD";
    }
}

numbered! {
    /// What an [`AlterConfigOp`](super::AlterConfigOp) does (KIP-339).
    AlterConfigOpType {
        /// A config gets a value.
        Set = 0, "SET";
        /// A config goes back to its default.
        Delete = 1, "DELETE";
        /// Elements are added to a list.
        Append = 2, "APPEND";
        /// Elements are taken out of a list.
        Subtract = 3, "SUBTRACT";
    }
}

#[cfg(feature = "net")]
numbered! {
    /// What kind of thing has configs.
    ConfigResourceType {
        /// A topic.
        Topic = 2, "TOPIC";
        /// A node.
        Broker = 4, "BROKER";
        /// How much a node logs.
        BrokerLogger = 8, "BROKER_LOGGER";
        /// What clients are to tell of themselves (KIP-714).
        ClientMetrics = 16, "CLIENT_METRICS";
        /// A group.
        Group = 32, "GROUP";
    }
}

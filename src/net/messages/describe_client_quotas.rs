//! DescribeClientQuotas: how much users, clients and addresses may take.

use crate::net::error_code::ErrorCode;

message! {
    /// Asks for the quotas of entities.
    DescribeClientQuotasRequest {
        components: Vec<ComponentData>,
        /// Whether entities are left out that have a type of which the components say nothing.
        strict: bool,
    }

    /// An element of [`DescribeClientQuotasRequest::components`].
    ComponentData {
        /// `user`, `client-id` or `ip`.
        entity_type: String,
        /// 0 is a name, 1 the default, 2 any name.
        match_type: i8,
        /// The name, with `match_type` 0.
        r#match: Option<String>,
    }

    /// The quotas, by entity.
    DescribeClientQuotasResponse {
        /// How long the request was held back by a quota.
        throttle_time_ms: i32,
        error_code: ErrorCode,
        error_message: Option<String>,
        entries: Option<Vec<EntryData>>,
    }

    /// An element of [`DescribeClientQuotasResponse::entries`].
    EntryData {
        entity: Vec<EntityData>,
        values: Vec<ValueData>,
    }

    /// An element of [`EntryData::entity`].
    EntityData {
        entity_type: String,
        /// Null for the default.
        entity_name: Option<String>,
    }

    /// An element of [`EntryData::values`].
    ValueData {
        key: String,
        value: f64,
    }
}

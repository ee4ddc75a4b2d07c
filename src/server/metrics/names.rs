//! All that is counted: what Kafka's brokers show by JMX, named as Prometheus has it.

use metrics::{Recorder, Unit};

/// Declares the metrics: kind, constant, name, unit, and what it tells.
macro_rules! metrics {
    ($($kind:ident $constant:ident = $name:literal, $unit:ident, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            pub(super) const $constant: &str = $name;
        )*

        /// Tells a recorder what each of them is.
        pub(super) fn describe_all(recorder: &dyn Recorder) {
            $(describe!(recorder, $kind, $name, Unit::$unit, $doc);)*
        }
    };
}

macro_rules! describe {
    ($recorder:ident, counter, $($what:expr),*) => {
        describe!($recorder, describe_counter, $($what),*)
    };
    ($recorder:ident, gauge, $($what:expr),*) => {
        describe!($recorder, describe_gauge, $($what),*)
    };
    ($recorder:ident, histogram, $($what:expr),*) => {
        describe!($recorder, describe_histogram, $($what),*)
    };
    ($recorder:ident, $describe:ident, $name:expr, $unit:expr, $doc:expr) => {
        $recorder.$describe($name.into(), Some($unit), $doc.into())
    };
}

metrics! {
    gauge CONNECTIONS = "esker_connections", Count,
        "Connections that are open.";
    counter CONNECTIONS_OPENED = "esker_connections_opened_total", Count,
        "Connections that were taken.";
    counter CONNECTIONS_REJECTED = "esker_connections_rejected_total", Count,
        "Connections that were closed at once: too many from one address.";
    counter CONNECTIONS_FAILED = "esker_connections_failed_total", Count,
        "Connections that ended with an error: what was sent is no request, or nothing came or went for too long.";
    counter SUCCESSFUL_AUTHENTICATION = "esker_successful_authentication_total", Count,
        "Logins of users, by SASL mechanism; also those of clients that are in already and show it again.";
    counter FAILED_AUTHENTICATION = "esker_failed_authentication_total", Count,
        "Logins that were refused, by SASL mechanism, or `unknown` if none was agreed on.";
    counter RECEIVED_BYTES = "esker_received_bytes_total", Bytes,
        "Bytes of requests.";
    counter SENT_BYTES = "esker_sent_bytes_total", Bytes,
        "Bytes of responses.";
    counter SENT_FROM_FILES_BYTES = "esker_sent_from_files_bytes_total", Bytes,
        "Bytes of responses that the system sent from the files of a log (sendfile), without a copy.";
    gauge REQUESTS_IN_FLIGHT = "esker_requests_in_flight", Count,
        "Requests that were read and not answered yet.";
    gauge REQUEST_BYTES_IN_FLIGHT = "esker_request_bytes_in_flight", Bytes,
        "Bytes of requests that were read and not answered yet; queued.max.request.bytes limits them.";
    counter REQUESTS = "esker_requests_total", Count,
        "Requests that were answered, by request, version, and the first error in the response or NONE.";
    histogram REQUEST_SECONDS = "esker_request_duration_seconds", Seconds,
        "From when a request was read until its response was written, by request. Fetches and members wait in it.";
    counter TOPIC_RECORDS_IN = "esker_topic_records_in_total", Count,
        "Records that were produced, by topic.";
    counter TOPIC_BYTES_IN = "esker_topic_bytes_in_total", Bytes,
        "Bytes of batches that were produced, by topic.";
    counter TOPIC_BYTES_OUT = "esker_topic_bytes_out_total", Bytes,
        "Bytes of batches that were fetched, by topic.";
    histogram LOG_FLUSH_SECONDS = "esker_log_flush_duration_seconds", Seconds,
        "How long the syncs took that acks=all waited for. Many producers share one.";
    counter GROUP_REBALANCES = "esker_group_rebalances_total", Count,
        "Generations of groups that began: all members have joined.";
}

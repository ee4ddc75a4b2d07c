//! Running a store: its directory, its threads, and what to look at.
//!
//! # The directory
//!
//! ```text
//! data/
//!   meta.properties                     whose directory it is
//!   .lock                               held while a store or a broker has it open
//!   .esker-reserve                      space held back for when there is none left (ours)
//!   .kafka_cleanshutdown                there while it is closed and everything is on the device
//!   recovery-point-offset-checkpoint    where recovery starts, per partition
//!   log-start-offset-checkpoint         where reading starts
//!   cleaner-offset-checkpoint           up to where partitions were compacted
//!   replication-offset-checkpoint       the high watermarks
//!   topic-config-checkpoint             the topics created here, and their configs (ours: Kafka passes over it)
//!   group-config-checkpoint             the configs that groups have set (ours, too)
//!   scram-credentials-checkpoint        who may log in to a server (ours, too)
//!   producer-id-checkpoint              which producer ids were given out (ours, too)
//!   payments-0/
//!     00000000000000000000.log          batches
//!     00000000000000000000.index        from offsets to positions
//!     00000000000000000000.timeindex    from timestamps to offsets
//!     00000000000000000000.txnindex     the transactions that were aborted, if any were
//!     00000000000000000007.snapshot     what producers were at before offset 7
//!     leader-epoch-checkpoint
//!     partition.metadata                the topic's id
//! ```
//!
//! One process at a time has it open for writing. Another that tries gets
//! [`Error::DirectoryLocked`](crate::Error::DirectoryLocked) with the holder's process id; the lock ends with the
//! process, however that ends.
//!
//! # Reading beside a writer
//!
//! Any number of other processes may read the directory while one writes it, and on a read-only file system or with
//! permission to read alone: [`open_read_only`](crate::StoreOptions::open_read_only) takes no lock and changes nothing.
//! Such a store follows what is appended, rolled, deleted and committed; what would change something fails with
//! [`Error::ReadOnly`](crate::Error::ReadOnly). It sees a record as soon as it is whole in the file, which may be
//! before it is synced and before its producer is told: after the loss of power another record can have its offset.
//!
//! Waiting costs a look at the end of each log every 50 ms, for the other process can't wake anybody. Files are read by
//! system calls and never mapped, because the writer may shorten them.
//!
//! # Backups
//!
//! [`Store::snapshot`](crate::Store::snapshot) copies the store as it is at one moment into another directory, while
//! everything else goes on; what is deleted meanwhile keeps its space until that is done. Everything acknowledged
//! before the call is in it, and no committed offset is ahead of the records. To restore, open the copy, or put it in
//! the place of the directory. It has a `directory.id` of its own, but the `cluster.id` and `node.id` of its source:
//! the two must not run in one cluster at a time. A copy that a crash interrupted has `version=incomplete-snapshot` in
//! its `meta.properties`, and is opened by nobody.
//!
//! It is the process that has the store open that takes it. `esker snapshot` is one itself, and is refused beside
//! another: a server that is to be copied while it runs is one in a program that calls `snapshot`.
//!
//! Copying the files of a directory by other means while a store writes it gives no consistent copy.
//!
//! # Looking for damage
//!
//! [`verify`](crate::StoreOptions::verify) reads all of a directory, whether or not a store has it open, and changes
//! nothing: every batch and record, every index entry, every checkpoint, every name. It tells what it finds with file
//! and position. [`is_healthy`](crate::VerifyReport::is_healthy) asks whether records are lost or files unusable;
//! leftovers and torn tails are put right by the next open without a loss.
//!
//! # Mending damage
//!
//! After a crash a directory needs nothing but to be opened. [`repair`](crate::StoreOptions::repair) is for what
//! recovery reports as damage and leaves in its place, and for a directory that does not open: one with a malformed
//! checkpoint, a segment or a partition that is missing, segments that overlap. It needs the directory closed. Without
//! being told to execute it tells what it would do:
//!
//! ```text
//! data/payments-0/00000000000000000000.log: 497 bytes at position 8113 are set aside as 00000000000000000000.log.8113.cut: …
//! data/payments-0/00000000000000000000.log: offsets 41 to 43 are lost
//! data/payments-0/00000000000000000000.index: built from the log
//! ```
//!
//! What can't be read moves to `.cut` files, and an empty batch, as compaction leaves them, takes the place of the lost
//! offsets: no reader stumbles over them again, here or in Kafka, and no later open takes them for a new loss.
//! Consumers that were to read them go on behind. Other than recovery it keeps whole batches behind one that is torn,
//! so it may keep more of what was never acknowledged. It can be interrupted and done again. A first segment that is
//! missing is not found: retention could have deleted it. Of a transaction whose marker is damaged it may not be known
//! any more that it has ended; it is open then, until its producer begins the next.
//!
//! # Deleting records and groups
//!
//! Retention deletes by age and size. [`Log::delete_records`](crate::Log::delete_records) deletes up to an offset, and
//! that lasts from when it returns; the space comes back with the next look at retention. What a group has committed is
//! moved with [`Store::reset_offsets`](crate::Store::reset_offsets) and deleted with
//! [`Store::delete_group`](crate::Store::delete_group); by itself it goes `offsets.retention.minutes`, a week, after
//! its commit, unless a consumer of the group is open in this store. An application that commits less often, and closes
//! its consumers in between, raises that.
//!
//! # The threads
//!
//! A store has one thread, which deletes old segments and committed offsets, removes the files of deleted ones, syncs
//! closed segments, compacts, and writes checkpoints. From when records linger or are awaited, or a group has members,
//! there is a second one, which waits for none of that: it appends what producers hold back longer than `linger.ms`,
//! syncs for those who wait without a thread, and sees to members who say nothing any more. A program that wants no
//! thread turns both off and calls [`Store::tick`](crate::Store::tick) itself:
//!
//! ```
//! use esker::{Maintenance, Store, TopicConfig};
//!
//! # fn main() -> esker::Result<()> {
//! let store = Store::options().maintenance(Maintenance::Manual).open_temporary()?;
//! store.create_topic("events", TopicConfig::new())?;
//! store.tick()?; // about every second
//! # Ok(())
//! # }
//! ```
//!
//! # What goes by itself
//!
//! [`guide::retention`](super::retention) tells when records go. Space comes back segment by segment.
//!
//! # What is bounded, and by what
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | open files, and maps of them | `open.files.max`: half of `ulimit -n` | those not used for longest are let go of, and opened again when needed: slower, and no error |
//! | files that the process can open | `ulimit -n`, `vm.max_map_count` | [`Error::TooManyOpenFiles`](crate::Error::TooManyOpenFiles), once nothing is left to let go of; passes |
//! | records that linger in a producer | `buffer.memory` | [`Producer::send`](crate::Producer::send) waits up to `max.block.ms`, then [`Error::BufferExhausted`](crate::Error::BufferExhausted) |
//! | a batch | `max.message.bytes` of the topic | [`Error::MessageTooLarge`](crate::Error::MessageTooLarge), nothing appended |
//! | what a read returns | [`ReadLimits::max_bytes`](crate::ReadLimits::max_bytes), `max.partition.fetch.bytes` | less is returned, and a batch at least |
//! | what a poll returns | `max.poll.records` | the rest comes with the next |
//! | the size of a log | `retention.bytes`, `retention.ms` | the oldest segments are deleted |
//! | the device | its space | [`Error::StorageFull`](crate::Error::StorageFull), nothing appended, readers undisturbed; a reserve lets retention, commits and a close still work |
//! | memory of compaction | `log.cleaner.dedupe.buffer.size` | a pass takes several rounds |
//! | what compaction reads and writes | `log.cleaner.io.max.bytes.per.second` | it takes longer |
//! | producers that a partition remembers | `producer.id.expiration.ms` | the idle ones are forgotten |
//! | committed offsets | `offsets.retention.minutes` | those of groups that nobody uses expire |
//! | threads | two a store, or none; while it is opened `num.recovery.threads.per.data.dir`, the caller's own among them; while what 64 partitions or more have is synced together (a close, the creation of topics, the end of a transaction), 15 more in the whole process | the others do it by themselves |
//!
//! Everything else that takes memory is the caller's own: slices that it holds keep their maps, whatever the limits
//! say, and sends that it has not waited for are in the log already.
//!
//! Of a server (feature `net`), by broker configs:
//!
//! | what | bound | at the bound |
//! |---|---|---|
//! | connections | `max.connections`, `max.connections.per.ip` and its `.overrides` | further ones wait, or are closed |
//! | a request | `socket.request.max.bytes` | the connection is closed before it is read |
//! | memory of all requests | `queued.max.request.bytes` | nothing is read until some are answered; who is slow to send the rest of one, or to take the response to a large one, or has one of more than 4 KiB that waits for records or members, is closed |
//! | requests of a connection | 64, and 1 MiB of responses that wait to be taken | nothing is read from it |
//! | what a fetch returns where files aren't mapped: `FsStorage::without_mmap`, a store that is open read-only, systems other than Unix | 1 MiB, or a batch that is larger; it counts among the responses from its beginning | the rest comes with the next |
//! | partitions that a request names, to produce, to fetch records or offsets, to describe producers, or to end transactions | `request.partitions.max` | `INVALID_REQUEST` |
//! | memory of a message's arrays | 64 MiB | the connection is closed |
//! | partitions that one request creates, by asking for metadata too | 10,000 | `POLICY_VIOLATION`, or the rest is created when it is asked for again |
//! | how long a producer waits for a sync | its `request.timeout.ms`, 1 s at least | `REQUEST_TIMED_OUT`; the records are in the log |
//! | time without a request, or without taking a response | `connections.max.idle.ms` | the connection is closed |
//! | frames of clients that haven't logged in | each `sasl.server.max.receive.size`, those of more than 8 KiB 8 MiB together | nothing more is read of such a frame until others are done; who isn't in after 30 s is closed |
//! | ids that groups of the classic protocol have given to new members, and that nobody has joined with yet | `group.max.size`, 4,096 a group, 16 MiB together | `COORDINATOR_NOT_AVAILABLE`: clients try again |
//! | memory of fetch sessions | `max.incremental.fetch.session.cache.slots` | clients fetch without one |
//!
//! # What a server counts
//!
//! With the feature `metrics`, for the recorder of the `metrics` crate that the process has installed before it builds
//! the server; with `prometheus`, at `/metrics` of an address that the server is given
//! (`ServerBuilder::metrics_listener`, `esker serve --metrics-listener 127.0.0.1:9404`). There is no authentication:
//! keep it on the loopback interface or behind a firewall. A series of a topic stays after the topic is deleted, until
//! the server ends.
//!
//! | name | labels | what |
//! |---|---|---|
//! | `esker_requests_total` | `request`, `version`, `error` | requests that were answered; `error` is the first one in the response, or `NONE`; `version` is `unknown` if there is no such |
//! | `esker_request_duration_seconds` | `request` | from a request to its response, waiting included |
//! | `esker_requests_in_flight`, `esker_request_bytes_in_flight` | | requests that were read and not answered yet |
//! | `esker_received_bytes_total`, `esker_sent_bytes_total` | | bytes of requests and of responses |
//! | `esker_sent_from_files_bytes_total` | | bytes of responses that the system sent from the log's files by itself (`sendfile`) |
//! | `esker_connections`, `esker_connections_opened_total` | | connections that are open, and that were |
//! | `esker_connections_rejected_total` | | those closed for `max.connections.per.ip` |
//! | `esker_connections_failed_total` | | those that ended with an error |
//! | `esker_successful_authentication_total`, `esker_failed_authentication_total` | `mechanism` | logins of users |
//! | `esker_topic_records_in_total`, `esker_topic_bytes_in_total` | `topic` | what was produced |
//! | `esker_topic_bytes_out_total` | `topic` | what was fetched |
//! | `esker_log_flush_duration_seconds` | | syncs that `acks=all` waited for |
//! | `esker_group_rebalances_total` | | generations of groups that began |
//!
//! # Who is let in
//!
//! A server listens on the loopback interface alone unless it is told otherwise. A listener that others reach wants a
//! protocol other than `PLAINTEXT` (`listeners`, `listener.security.protocol.map`):
//!
//! | protocol | feature | what it asks for | what it wants |
//! |---|---|---|---|
//! | `SSL` | `tls` | a certificate of the client, if `ssl.client.auth` says so | `ssl.keystore.location`: a file of PEM, the server's key and certificates; `ssl.truststore.location`: whose certificates of clients are good |
//! | `SASL_PLAINTEXT` | `sasl` | a user and a password | `sasl.enabled.mechanisms` |
//! | `SASL_SSL` | both | both | both |
//!
//! Each can be set for one listener alone, as `listener.name.internal.ssl.client.auth`. Files are read when the server
//! starts, and again when a client comes: certificates can be replaced while it runs. If nothing can be made of the new
//! ones, a warning says so, and the old ones stay in use.
//!
//! Users are in the data directory, in `scram-credentials-checkpoint`: a file of ours that Kafka, which keeps them in
//! its metadata log, passes over. It has salts and hashes (RFC 5802), never a password, and lets nobody in. But who
//! reads it can guess passwords at his own pace, and pretend to be the server: keep it like the rest of the directory.
//! `esker user`, `Store::put_scram_credential` and, while a server runs, `kafka-configs --entity-type users` alter it.
//! `SCRAM` never sends a password; `PLAIN` does, so it wants TLS. It finds the same users, and before them those that
//! are named, with their passwords in plain text as in Kafka, in `listener.name.sasl_ssl.plain.sasl.jaas.config`.
//!
//! Who fails to log in is told so after `connection.failed.authentication.delay.ms`, and loses the connection. Eight
//! logins of one address are looked at at a time, those that fail until they are told: an address has 80 guesses a
//! second by default, however many connections it has. A user that isn't there is asked for a password like any other.
//! The handshake of TLS and the login have 30 seconds each, or `connections.max.idle.ms`.
//!
//! Clients are told the same in Kafka's client configs, which `esker --command-config` reads from a file and
//! `net::ClientConfig` has: `security.protocol`, `ssl.truststore.location`, `sasl.mechanism`, `sasl.jaas.config`. They
//! hold the broker's certificate against the host that they have connected to, unless
//! `ssl.endpoint.identification.algorithm` is empty, and go no further with one that doesn't know their password
//! itself.
//!
//! # Thousands of partitions
//!
//! A partition that nobody uses costs about 2 KiB of memory, and no file, map or thread. One that is appended to or
//! read has three files open, or four with aborted transactions, and their maps. They are let go of when nobody used
//! them for `open.files.idle.ms`, a minute, or up to twice that; those of an active segment are synced then, and what
//! is reserved beyond their ends, also by `preallocate`, is given back until the next append.
//!
//! The same happens sooner where more than `open.files.max` would be open. With more partitions in use at a time than a
//! third of that, each append may have to wait until another partition is synced: raise `ulimit -n`, which raises the
//! default with it up to 16,384, or set it. [`Store::open_file_count`](crate::Store::open_file_count) tells how many
//! are open.
//!
//! # Limits of this version
//!
//! There is no replication, and there are no ACLs: whoever a server lets in may do everything.

//! Writes the seeds of the targets that take files of a data directory, each of its files as it is; of those that take
//! records of the store's own topics, those of a sound directory; of the wire, a message of each kind; and of the
//! server, each request that it knows, and a few clients that use it as it is meant; and of logins, each mechanism from
//! each side.

use std::fs;
use std::path::Path;

use esker::net::messages::create_topics::CreatableTopic;
use esker::net::messages::fetch::{FetchPartition, FetchTopic};
use esker::net::messages::join_group::JoinGroupRequestProtocol;
use esker::net::messages::{
    AnyRequest, AnyResponse, ApiVersionsRequest, CreateTopicsRequest, EndTxnRequest, FetchRequest,
    InitProducerIdRequest, JoinGroupRequest, MetadataRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
};
use esker::net::{ApiKey, RequestHeader};
use esker_fuzz::directory::sound;
use esker_fuzz::edit::Edit;
use esker_fuzz::internal_topics::sound_records;
use esker_fuzz::session::{ALONE, PRODUCER_ID, Step, TRANSACTIONAL, TRANSACTIONAL_ID};

use random::Random;

#[path = "../../tests/wire_codec/generate.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod generate;
#[path = "../../tests/common/random.rs"]
#[allow(dead_code, reason = "the tests use all of it")]
mod random;

fn main() -> std::io::Result<()> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    wire(&seeds.join("wire"))?;
    server(&seeds.join("server"))?;
    sasl(&seeds.join("sasl"))?;
    for target in ["consumer_offsets", "transaction_state"] {
        let dir = seeds.join(target);
        fs::create_dir_all(&dir)?;
        let records = sound_records(&format!("__{target}"));
        for (index, record) in records.iter().enumerate() {
            fs::write(dir.join(format!("record_{index}")), record)?;
        }
        fs::write(dir.join("all"), records.concat())?;
    }
    for target in ["data_directory", "index_files", "producer_files", "text_files"] {
        let dir = seeds.join(target);
        fs::create_dir_all(&dir)?;
        for closed in [false, true] {
            let is_wanted = |path: &str| match target {
                "index_files" => path.ends_with("index"),
                "producer_files" => path.ends_with(".snapshot") || path.ends_with(".txnindex"),
                "text_files" => !path.ends_with("index") && !path.ends_with(".log") && !path.ends_with(".snapshot"),
                _ => true,
            };
            let files = sound(closed).iter().filter(|(path, _)| is_wanted(&path.to_string_lossy()));
            for (index, (path, contents)) in files.enumerate() {
                let name = path.to_string_lossy().replace(['/', '.'], "_");
                let seed = [&[index as u8, u8::from(closed)], &**contents].concat();
                fs::write(dir.join(format!("{name}_{}", if closed { "closed" } else { "crashed" })), seed)?;
            }
        }
    }
    Ok(())
}

/// A frame of each request and a body of each response, in the newest version.
fn wire(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut random = Random::new(1);
    for &api_key in ApiKey::ALL {
        let api_version = *api_key.versions().end();
        let mut message =
            |schema| generate::message(schema, api_version, api_key.is_flexible(api_version), &mut random);
        let body = message(AnyRequest::schema(api_key)).into();
        let header = RequestHeader { api_key, api_version, correlation_id: 1, client_id: None };
        let request = AnyRequest::from_bytes(api_key, body, api_version).expect("it is one");
        let frame = request.to_frame(&header).expect("it can be written").to_bytes();
        fs::write(dir.join(format!("{api_key}_request")), [&[0], &*frame].concat())?;
        let body = message(AnyResponse::schema(api_key));
        let kind = [api_key.key() as u8 + 1, api_version as u8];
        fs::write(dir.join(format!("{api_key}_response")), [&kind, &*body].concat())?;
    }
    Ok(())
}

/// Each request once with anything in it, and what clients do that produce, fetch and are members of a group.
fn server(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut random = Random::new(2);
    for &api in ApiKey::ALL {
        let version = *api.versions().end();
        let body = generate::message(AnyRequest::schema(api), version, api.is_flexible(version), &mut random);
        fs::write(dir.join(format!("{api}")), Step::request(api, version, &body))?;
    }
    // Of version 3 and `version`, one record.
    let produce = |version: u8, acks: u8, attributes: u8| {
        [&[3, version, acks, attributes, 1, 0, 8], &b"\x0e\0\0\0\x01\x02a\0"[..]].concat()
    };
    let fetch = |session_epoch, max_wait_ms| {
        let wanted = FetchPartition { partition: 0, partition_max_bytes: 1 << 20, ..Default::default() };
        let topics = vec![FetchTopic { topic: "t".into(), partitions: vec![wanted], ..Default::default() }];
        let request = FetchRequest { topics, session_epoch, max_wait_ms, max_bytes: 1 << 20, ..Default::default() };
        Step::of(&request, 12)
    };
    let versions = Step::of(&ApiVersionsRequest::default(), 2);
    let metadata = Step::of(&MetadataRequest::default(), 12);
    let produced = [produce(6, 0, ALONE), produce(9, 1, 0), produce(10, 2, ALONE)].concat();
    let records = [versions.clone(), metadata, produced, fetch(0, 0), fetch(-1, 100)];
    fs::write(dir.join("records"), records.concat())?;
    let end = EndTxnRequest {
        transactional_id: TRANSACTIONAL_ID.into(),
        producer_id: PRODUCER_ID,
        committed: true,
        ..Default::default()
    };
    let in_transaction = [versions.clone(), produce(9, 2, TRANSACTIONAL), Step::of(&end, 5), fetch(0, 0)];
    fs::write(dir.join("in_transaction"), in_transaction.concat())?;
    let protocol = JoinGroupRequestProtocol { name: "range".into(), metadata: Default::default() };
    let join = JoinGroupRequest {
        group_id: "g".into(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 10_000,
        protocol_type: "consumer".into(),
        protocols: vec![protocol],
        ..Default::default()
    };
    let members = [versions.clone(), Step::of(&join, 0), vec![2], Step::of(&join, 5), Step::of(&join, 9)];
    fs::write(dir.join("members"), members.concat())?;
    let init = InitProducerIdRequest {
        transactional_id: Some("t".into()),
        transaction_timeout_ms: 1000,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    fs::write(dir.join("transaction"), [versions, Step::of(&init, 4), vec![2], Step::of(&init, 1)].concat())
}

/// Logins: of a client that is none, of a server that is none, and between two that are.
fn sasl(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    let create = CreateTopicsRequest {
        topics: vec![CreatableTopic {
            name: "t".into(),
            num_partitions: 1,
            replication_factor: 1,
            ..Default::default()
        }],
        timeout_ms: 1000,
        ..Default::default()
    };
    let versions = Step::of(&ApiVersionsRequest::default(), 2);
    let create = Step::of(&create, 7);
    for (index, (mechanism, token)) in [
        ("SCRAM-SHA-256", "n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL"),
        ("SCRAM-SHA-512", "n,,n=alice,r=fyko+d2lbbFgONRv9qkxdawL"),
        ("PLAIN", "\0alice\0pencil"),
    ]
    .into_iter()
    .enumerate()
    {
        let handshake = SaslHandshakeRequest { mechanism: mechanism.into() };
        let said = Step::of(&SaslAuthenticateRequest { auth_bytes: token.into() }, 2);
        let last = SaslAuthenticateRequest { auth_bytes: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL,p=AAAA".into() };
        let last = Step::of(&last, 1);
        let wrapped = [versions.clone(), Step::of(&handshake, 1), said.clone(), last, create.clone()];
        let bare = [&[1], &(token.len() as u16).to_be_bytes()[..], token.as_bytes()].concat();
        let bare = [Step::of(&handshake, 0), bare, create.clone(), vec![2], said, create.clone()];
        let sides = |side: u8| 3 * index as u8 + side;
        fs::write(dir.join(format!("client_{mechanism}")), [&[sides(0)], &*wrapped.concat()].concat())?;
        fs::write(dir.join(format!("client_{mechanism}_bare")), [&[sides(0)], &*bare.concat()].concat())?;
        let nothing = Edit::to_bytes(0, 0, b"");
        let server = [nothing.clone(), nothing.clone(), Edit::to_bytes(38, 30, b"v=AAAA")];
        fs::write(dir.join(format!("server_{mechanism}")), [&[sides(1)], &*server.concat()].concat())?;
        let changes = [nothing.clone(), nothing.clone(), nothing.clone(), Edit::to_bytes(12, 4, b"4097")];
        fs::write(dir.join(format!("between_{mechanism}")), [&[sides(2)], &*changes.concat()].concat())?;
        fs::write(dir.join(format!("between_{mechanism}_untouched")), [sides(2)])?;
    }
    Ok(())
}

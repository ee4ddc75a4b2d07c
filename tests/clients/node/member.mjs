// KafkaJS as a member of a group, which works until it is told to end: see member_log.py for what it says about that.

import { openSync, writeSync } from "node:fs";
import kafkajs from "kafkajs";

const { AssignerProtocol, Kafka, logLevel } = kafkajs;
const { MemberAssignment, MemberMetadata } = AssignerProtocol;
const [server, topic, logFile, ...configs] = process.argv.slice(2);
const config = new Map(configs.map((pair) => pair.split("=", 2)));
const log = openSync(logFile, "a");
const line = (event, details = "") => `${Date.now()}\t${event}\t${details}\n`;

// Its own assigner has a name that no other client knows. This one is Kafka's, and in its format.
const range = ({ cluster }) => ({
  name: "range",
  version: 0,

  async assign({ members }) {
    const wanted = members.map(({ memberId, memberMetadata }) => {
      return { memberId, topics: MemberMetadata.decode(memberMetadata).topics };
    });
    const assignments = Object.fromEntries(members.map(({ memberId }) => [memberId, {}]));
    for (const of of new Set(wanted.flatMap(({ topics }) => topics))) {
      const takers = wanted.filter(({ topics }) => topics.includes(of)).map(({ memberId }) => memberId).sort();
      const partitions = cluster.findTopicPartitionMetadata(of).map(({ partitionId }) => partitionId).sort((a, b) => a - b);
      const [each, more] = [Math.floor(partitions.length / takers.length), partitions.length % takers.length];
      takers.forEach((memberId, number) => {
        assignments[memberId][of] = partitions.splice(0, each + (number < more ? 1 : 0));
      });
    }
    return Object.entries(assignments).map(([memberId, assignment]) => {
      return { memberId, memberAssignment: MemberAssignment.encode({ version: 0, assignment }) };
    });
  },

  protocol({ topics }) {
    return { name: "range", metadata: MemberMetadata.encode({ version: 0, topics }) };
  },
});

const kafka = new Kafka({ brokers: [server], clientId: "member", logLevel: logLevel.ERROR });
const consumer = kafka.consumer({
  groupId: config.get("group.id"),
  sessionTimeout: Number(config.get("session.timeout.ms")),
  heartbeatInterval: Number(config.get("heartbeat.interval.ms")),
  partitionAssigners: [range],
  maxWaitTimeInMs: 100,
  // The server is gone for a moment.
  retry: { initialRetryTime: 100, maxRetryTime: 1000, retries: 100 },
});
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
  writeSync(log, line("owned", (payload.memberAssignment[topic] ?? []).join(",")));
});
consumer.on(consumer.events.REBALANCING, () => writeSync(log, line("owned")));
process.on("SIGTERM", async () => {
  await consumer.disconnect();
  process.exit(0);
});

await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch: { partition, messages }, resolveOffset, heartbeat }) => {
    writeSync(log, messages.map(({ offset }) => line("processed", `${partition}\t${offset}`)).join(""));
    const last = messages.at(-1).offset;
    try {
      await consumer.commitOffsets([{ topic, partition, offset: String(BigInt(last) + 1n) }]);
    } catch (error) {
      writeSync(log, line("refused", String(error).replaceAll("\n", " ")));
      throw error;
    }
    writeSync(log, line("committed"));
    resolveOffset(last);
    await heartbeat();
  },
});

//! Which partitions a command is about, in the words of Kafka's tools: `payments`, or `payments:0,3`.

use esker::TopicPartition;

use crate::failure::Result;
use crate::source::Source;

/// A topic, and which of its partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicPartitions {
    topic: String,
    /// None for all of them.
    partitions: Option<Vec<i32>>,
}

impl TopicPartitions {
    /// Reads `topic` or `topic:partition,partition`.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        let Some((topic, list)) = text.split_once(':') else {
            return Ok(Self { topic: text.to_owned(), partitions: None });
        };
        let partitions = list.split(',').map(str::parse).collect::<std::result::Result<_, _>>();
        let partitions = partitions.map_err(|_| "expected TOPIC or TOPIC:PARTITION,PARTITION")?;
        Ok(Self { topic: topic.to_owned(), partitions: Some(partitions) })
    }

    /// The partitions, which exist.
    pub(crate) fn resolve(&self, source: &mut dyn Source) -> Result<Vec<TopicPartition>> {
        let Some(partitions) = &self.partitions else { return source.partitions_of(&self.topic) };
        partitions.iter().map(|index| source.partition(&self.topic, *index)).collect()
    }

    /// The partitions, whether they exist or not: all of a topic are those that it has or `known` names.
    pub(crate) fn among(&self, known: &[TopicPartition]) -> Vec<TopicPartition> {
        match &self.partitions {
            Some(partitions) => partitions.iter().map(|index| TopicPartition::new(&*self.topic, *index)).collect(),
            None => known.iter().filter(|partition| *partition.topic == self.topic).cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_stands_for_all_of_its_partitions_unless_it_names_some() {
        let parsed = TopicPartitions::parse("t:0,12").unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(parsed, TopicPartitions { topic: "t".to_owned(), partitions: Some(vec![0, 12]) });
        let all = TopicPartitions { topic: "t".to_owned(), partitions: None };
        assert_eq!(TopicPartitions::parse("t"), Ok(all.clone()));
        let known = [("t", 0), ("u", 0), ("t", 2)].map(TopicPartition::from);
        assert_eq!(all.among(&known), [("t", 0), ("t", 2)].map(TopicPartition::from));
        assert_eq!(parsed.among(&known), [("t", 0), ("t", 12)].map(TopicPartition::from));
        for text in ["t:", "t:x", "t:1,"] {
            assert!(TopicPartitions::parse(text).is_err(), "{text}");
        }
    }
}

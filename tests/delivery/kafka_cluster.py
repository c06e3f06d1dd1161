"""Kafka in a process of its own: librdkafka's mock cluster. python -m tests.delivery.kafka_cluster TOPIC

Prints its brokers, and ends with its stdin. Stopped (SIGSTOP), it does not answer; continued, it has lost nothing.
"""

import logging
import sys

from confluent_kafka import Producer


def main(topic: str) -> None:
    settings = {"bootstrap.servers": "unused:1", "test.mock.num.brokers": 3}
    cluster = Producer(settings, logger=logging.getLogger("quiet"))
    found = cluster.list_topics(topic, timeout=10)  # a producer's question creates the topic
    assert found.topics[topic].error is None
    print(",".join(f"{broker.host}:{broker.port}" for broker in found.brokers.values()), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    logging.getLogger("quiet").setLevel(logging.CRITICAL)
    main(sys.argv[1])

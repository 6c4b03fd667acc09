"""Rows of the fault matrix (operations.md) whose part of the product is not built: listed, and skipped."""

import drilling

NO_KAFKA = "no worker sends anything to Kafka yet"


def unbuilt(name, summary, reason):
    return type(name.title().replace("-", ""), (drilling.Drill,), {
        "name": name, "summary": summary, "obstacle": reason})


DRILLS = [
    unbuilt("kafka-lost", "the broker dies and comes back; voice and provisioning untouched, resumes exactly once",
            NO_KAFKA),
    unbuilt("kafka-slow", "the broker is slow; the queue stays bounded, voice and provisioning untouched", NO_KAFKA),
    unbuilt("kafka-fenced", "another producer takes the transactional ID; the fenced one stops and says so", NO_KAFKA),
]

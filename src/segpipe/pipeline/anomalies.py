"""The anomalies that ExampleValidator found in, one readable sentence each out."""

from pathlib import PurePosixPath

from tensorflow_metadata.proto.v0 import anomalies_pb2

from segpipe.ingest import files

ANOMALIES_FILE = "SchemaDiff.pb"


def sentences(uri: str) -> list[str]:
    """One sentence per anomaly: split, feature, what was expected and what was found.

    Args:
      uri: folder or URL of an ExampleAnomalies artifact, with one folder per split.
    """
    found = []
    for entry in files.listing(uri):
        if PurePosixPath(entry.path).name == ANOMALIES_FILE:
            split = PurePosixPath(entry.path).parent.name.removeprefix("Split-")
            anomalies = anomalies_pb2.Anomalies.FromString(files.read(entry.path))
            found += [_sentence(split, name, info) for name, info in sorted(anomalies.anomaly_info.items())]
            if anomalies.HasField("dataset_anomaly_info"):
                found.append(_sentence(split, "the data set", anomalies.dataset_anomaly_info))
    return found


def _sentence(split: str, feature: str, info: anomalies_pb2.AnomalyInfo) -> str:
    reasons = "; ".join(reason.description.rstrip(". ") for reason in info.reason) or info.description.rstrip(". ")
    return f"{feature} in {split}: {reasons}."

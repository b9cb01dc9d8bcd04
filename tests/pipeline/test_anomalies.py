"""What ExampleValidator writes down becomes sentences that name split and feature."""

from tensorflow_metadata.proto.v0 import anomalies_pb2

from segpipe.pipeline.anomalies import sentences


def _write(folder, **features):
    folder.mkdir(parents=True)
    anomalies = anomalies_pb2.Anomalies()
    for name, reasons in features.items():
        for reason in reasons:
            anomalies.anomaly_info[name].reason.add(description=reason)
    (folder / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString())


def test_one_sentence_per_anomaly_with_its_split(tmp_path):
    _write(tmp_path / "Split-train", brightness=["Unexpectedly high value: 1.2."])
    _write(tmp_path / "Split-test", height=["Missing.", "Too few."], width=["Low."])
    assert sentences(str(tmp_path)) == [
        "height in test: Missing; Too few.",
        "width in test: Low.",
        "brightness in train: Unexpectedly high value: 1.2.",
    ]


def test_no_anomaly_no_sentence(tmp_path):
    _write(tmp_path / "Split-train")
    assert sentences(str(tmp_path)) == []

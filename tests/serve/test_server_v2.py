"""KServe's V2 protocol as its specification words it, JSON and binary."""

import base64
import json
import struct

import numpy as np
import pytest
import requests

from tests.serve.server_model import BLUE, GREEN, RED, SIZE, picture


def infer(address: str, body: dict, binary: bytes | None = None) -> requests.Response:
    text = json.dumps(body).encode()
    headers = {} if binary is None else {"Inference-Header-Content-Length": str(len(text))}
    return requests.post(
        f"{address}/v2/models/strongest/infer", data=text + (binary or b""), headers=headers, timeout=30
    )


def tensor(*pictures: bytes, **more: object) -> dict:
    data = [base64.b64encode(one).decode() for one in pictures]
    return {"name": "image_bytes", "shape": [len(pictures)], "datatype": "BYTES", "data": data, **more}


def test_json_in_and_flat_row_major_json_out(address):
    answer = infer(address, {"id": "42", "inputs": [tensor(picture(RED), picture(BLUE))]}).json()
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("strongest", "1", "42")
    outputs = {output["name"]: output for output in answer["outputs"]}
    assert list(outputs) == ["class_fraction", "confidence", "mask"]
    assert (outputs["mask"]["datatype"], outputs["mask"]["shape"]) == ("UINT8", [2, SIZE, SIZE])
    assert outputs["mask"]["data"] == [0] * SIZE * SIZE + [2] * SIZE * SIZE
    assert outputs["class_fraction"]["data"] == [1, 0, 0, 0, 0, 1]


def test_binary_tensors_in_and_out_as_triton_clients_send_them(address):
    encoded = picture(GREEN)
    packed = struct.pack("<I", len(encoded)) + encoded
    body = {
        "inputs": [
            {"name": "image_bytes", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(packed)}}
        ],
        "outputs": [{"name": "mask", "parameters": {"binary_data": True}}, {"name": "class_fraction"}],
    }
    answer = infer(address, body, packed)
    size = int(answer.headers["Inference-Header-Content-Length"])
    mask, fraction = json.loads(answer.content[:size])["outputs"]
    assert mask["parameters"] == {"binary_data_size": SIZE * SIZE}
    np.testing.assert_array_equal(np.frombuffer(answer.content[size:], np.uint8), 1)
    assert fraction["data"] == [0, 1, 0]


def test_health_and_metadata(address):
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/strongest/ready"):
        assert requests.get(address + path, timeout=5).status_code == 200
    assert requests.get(f"{address}/v2", timeout=5).json()["name"] == "segpipe"
    metadata = requests.get(f"{address}/v2/models/strongest", timeout=5).json()
    assert metadata["inputs"] == [{"name": "image_bytes", "datatype": "BYTES", "shape": [-1]}]
    assert {"name": "mask", "datatype": "UINT8", "shape": [-1, SIZE, SIZE]} in metadata["outputs"]
    assert metadata["versions"] == ["1"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "a list of one tensor"),
        ({"inputs": [tensor(picture(RED), name="x")]}, "must be image_bytes of datatype BYTES, got 'x'"),
        ({"inputs": [tensor(picture(RED), shape=[2])]}, "shape is [2] but it holds 1"),
        ({"inputs": [tensor(picture(RED), data="x")]}, "must be a list of base64"),
        ({"inputs": [tensor(picture(RED), data=["%"])]}, "instance 0 is not base64"),
        ({"inputs": [tensor(picture(RED))], "outputs": [{"name": "x"}]}, "no output 'x'; this signature has"),
        ({"inputs": [tensor(parameters={"binary_data_size": 3})]}, "binary_data_size is 3 but 0 bytes follow"),
    ],
)
def test_a_bad_request_gets_400_and_a_sentence(address, body, words):
    answer = infer(address, body)
    assert (answer.status_code, words in answer.json()["error"]) == (400, True), answer.text


def test_a_binary_tensor_that_ends_early_gets_a_sentence(address):
    packed = struct.pack("<I", 100) + b"short"
    body = {"inputs": [tensor(parameters={"binary_data_size": len(packed)})]}
    assert "ends inside value 0" in infer(address, body, packed).json()["error"]


def test_metrics_count_requests_by_route_and_status(address):
    infer(address, {"inputs": [tensor(picture(RED))]})
    infer(address, {})
    page = requests.get(f"{address}/metrics", timeout=5).text
    for code in (200, 400):
        assert f'segpipe_requests_total{{code="{code}",path="/v2/models/{{model}}/infer"}}' in page
    assert "segpipe_model_version 1.0" in page
    assert "segpipe_batch_pictures_count" in page
    assert requests.get(f"{address}/monitoring/prometheus/metrics", timeout=5).status_code == 200

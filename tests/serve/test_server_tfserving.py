"""TensorFlow Serving's contract, asked by `requests` as its own example client does, and by Vertex AI's client."""

import base64
import gzip
import json
import struct
import zlib

import numpy as np
import pytest
import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform_v1 import PredictionServiceClient
from google.cloud.aiplatform_v1.services.prediction_service.transports import PredictionServiceRestTransport
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from tests.serve.server_model import BLUE, GREEN, RED, SIZE, halves, picture


def b64(data: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(data).decode()}


def predict(address: str, body: object, path: str = "/v1/models/strongest:predict") -> requests.Response:
    return requests.post(address + path, data=json.dumps(body), timeout=30)


@pytest.mark.parametrize("path", ["/v1/models/strongest:predict", "/v1/models/strongest/versions/1:predict"])
def test_row_format_answers_each_instance_in_order(address, path):
    answer = predict(
        address, {"instances": [b64(picture(GREEN)), {"image_bytes": b64(picture(RED, kind="JPEG"))}]}, path
    )
    assert answer.status_code == 200
    green, red = answer.json()["predictions"]
    np.testing.assert_array_equal(green["mask"], np.full((SIZE, SIZE), 1))
    assert green["class_fraction"] == [0, 1, 0]
    assert red["class_fraction"] == [1, 0, 0]
    # softmax over (1, -1, -1): what a pure colour becomes in [-1, 1].
    assert green["confidence"] == pytest.approx(np.e / (np.e + 2 / np.e), rel=1e-5)


def test_column_format_answers_with_outputs(address):
    answer = predict(address, {"inputs": {"image_bytes": [b64(halves(RED, BLUE))]}}).json()
    assert answer["outputs"]["class_fraction"] == [[0.5, 0, 0.5]]
    assert answer["outputs"]["mask"][0][0] == [0] * (SIZE // 2) + [2] * (SIZE // 2)


def test_another_signature_takes_any_bytes_and_a_single_output_comes_without_its_name(address):
    answer = predict(address, {"signature_name": "length", "instances": [b64(b"abc"), b64(b"")]})
    assert answer.json() == {"predictions": [3, 0]}


def test_a_turned_phone_picture_is_set_upright_as_ingest_does(address):
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise: what is left becomes the top
    turned = halves(RED, BLUE, "JPEG", exif=exif, quality=95, subsampling=0)
    mask = np.array(predict(address, {"instances": [b64(turned)]}).json()["predictions"][0]["mask"])
    assert set(mask[0]) == {0}
    assert set(mask[-1]) == {2}


def test_every_signature_for_pictures_sees_them_in_the_form_that_the_graph_can_read(address):
    [png] = predict(address, embed(picture(GREEN))).json()["predictions"]
    assert predict(address, embed(picture(GREEN, kind="TIFF"))).json()["predictions"] == [png]


@pytest.mark.parametrize("kind", ["TIFF", "BMP", "WEBP"])
def test_formats_that_the_graph_cannot_read_are_brought_into_one_that_it_can(address, kind):
    options = {"lossless": True} if kind == "WEBP" else {}
    answer = predict(address, {"instances": [b64(halves(GREEN, RED, kind, **options))]}).json()
    assert answer["predictions"][0]["class_fraction"] == [0.5, 0.5, 0]


def test_status_and_metadata_are_tensorflow_servings_messages(address):
    status = requests.get(f"{address}/v1/models/strongest", timeout=5)
    message = json_format.Parse(status.text, get_model_status_pb2.GetModelStatusResponse())
    [version] = message.model_version_status
    assert (version.version, version.state, version.status.error_code) == (1, 30, 0)  # 30 = AVAILABLE
    metadata = requests.get(f"{address}/v1/models/strongest/versions/1/metadata", timeout=5).json()
    assert metadata["model_spec"] == {"name": "strongest", "signature_name": "", "version": "1"}
    signatures = json_format.ParseDict(
        metadata["metadata"]["signature_def"], get_model_metadata_pb2.SignatureDefMap()
    ).signature_def
    assert signatures["serving_default"].inputs["image_bytes"].dtype == 7  # DT_STRING
    assert [d.size for d in signatures["serving_default"].outputs["mask"].tensor_shape.dim] == [-1, SIZE, SIZE]


def test_vertex_client_works_unchanged(address):
    transport = PredictionServiceRestTransport(
        host=address.removeprefix("http://"), url_scheme="http", credentials=AnonymousCredentials()
    )
    answer = PredictionServiceClient(transport=transport).predict(
        endpoint="projects/p/locations/europe-west4/endpoints/42", instances=[b64(picture(BLUE))]
    )
    assert list(answer.predictions[0]["class_fraction"]) == [0, 0, 1]
    assert answer.model_version_id == "1"


def bomb() -> bytes:
    """A PNG of 60 bytes whose header claims 100,000 × 100,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"123")


def embed(data: bytes) -> dict[str, object]:
    return {"signature_name": "embeddings", "instances": [b64(data)]}


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"instances": [b64(b"hello")]}, 415, "instance 0 is not a picture (5 bytes)"),
        ({"instances": [b64(b"")]}, 415, "instance 0 is not a picture (0 bytes)"),
        ({"instances": [b64(bomb())]}, 413, "10,000 megapixels (100000×100000); this server takes 1"),
        ({"instances": [b64(picture(RED)), b64(picture(RED, (200, 200))[:-60])]}, 400, "instance 1"),
        ({"instances": [{"b64": "no base64!"}]}, 400, "instance 0 is not base64"),
        ({"instances": ["text"]}, 400, 'instance 0 must be {"b64": "…"}'),
        ({"instances": "x"}, 400, '"instances" must be a list'),
        ({"instances": []}, 400, "holds no instance"),
        ({"instances": [b64(picture(RED, (8, 8)))] * 17}, 400, "17 instances; this server takes 16"),
        ({"instances": [], "inputs": []}, 400, "not both"),
        ({}, 400, "not none"),
        (
            {"signature_name": "classify", "instances": [b64(b"")]},
            400,
            "has embeddings, from_examples, length, serving_default",
        ),
        ({"signature_name": 3, "instances": [b64(b"")]}, 400, "must be a string"),
        (embed(bomb()), 413, "10,000 megapixels (100000×100000); this server takes 1"),
        (embed(b"hello"), 415, "instance 0 is not a picture (5 bytes)"),
        (
            {"signature_name": "from_examples", "instances": [b64(b"")]},
            400,
            "the signature 'from_examples' takes serialized Examples and is for training and evaluation alone",
        ),
        ([1], 400, "must be a JSON object, got a list"),
    ],
)
def test_a_bad_request_gets_its_status_and_a_sentence(address, body, status, words):
    answer = predict(address, body)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_what_is_not_json_or_too_large_or_elsewhere_gets_a_sentence(address):
    url = f"{address}/v1/models/strongest:predict"
    assert "not JSON" in requests.post(url, data=b"{", timeout=5).json()["error"]
    large = requests.post(url, data=b" " * 1_500_000, timeout=5)
    assert (large.status_code, "1 MB" in large.json()["error"]) == (413, True)
    chunked = requests.post(url, data=iter([b" " * 600_000] * 2), timeout=5)
    assert chunked.status_code == 413
    other = predict(address, {"instances": []}, "/v1/models/other:predict")
    assert (other.status_code, "answers as 'strongest'" in other.json()["error"]) == (404, True)
    assert predict(address, {}, "/v1/models/strongest/versions/9:predict").status_code == 404
    assert predict(address, {}, "/v1/models/strongest/versions/x:predict").status_code == 400
    assert requests.get(f"{address}/nothing", timeout=5).status_code == 404


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_request_is_inflated(address, encoding, pack):
    url, headers = f"{address}/v1/models/strongest:predict", {"Content-Encoding": encoding}
    body = json.dumps({"instances": [b64(picture(GREEN))]}).encode()
    answer = requests.post(url, data=pack(body), headers=headers, timeout=30)
    assert answer.json()["predictions"][0]["class_fraction"] == [0, 1, 0]
    bomb = requests.post(url, data=pack(b" " * 50_000_000), headers=headers, timeout=30)
    assert (bomb.status_code, "1 MB" in bomb.json()["error"]) == (413, True)
    for torn in (b"no such thing", pack(body)[:-9]):
        answer = requests.post(url, data=torn, headers=headers, timeout=30)
        assert (answer.status_code, "what content-encoding says" in answer.json()["error"]) == (400, True)


def test_another_encoding_is_turned_away(address):
    answer = requests.post(
        f"{address}/v1/models/strongest:predict", data=b"x", headers={"Content-Encoding": "br"}, timeout=30
    )
    assert (answer.status_code, "send gzip" in answer.json()["error"]) == (415, True)


def test_one_damaged_picture_does_not_spoil_another_request_of_the_same_batch(address):
    from concurrent.futures import ThreadPoolExecutor

    good, damaged = picture(GREEN), picture(RED, (200, 200))[:-60]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda data: predict(address, {"instances": [b64(data)]}), [good, damaged] * 16))
    assert {a.status_code for a in answers[0::2]} == {200}
    assert {a.status_code for a in answers[1::2]} == {400}

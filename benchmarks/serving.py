"""A model and pictures in, how fast `segpipe serve` answers out, beside the published signature on the same weights.

python -m benchmarks.serving RUN|MODEL_DIR PICTURES_DIR [--config TOML] [--seconds 20] [--soak 300]

The baselines answer one picture at a time, in processes of their own and without HTTP, so they are faster than a server
around them could be: the SavedModel's own `serving_default`; with the run's TOML, whose training left its weights, the
`serving_default` that the post publishes, and the network in ONNX Runtime where `tf2onnx` can be imported. All load
stays on loopback; the clients share the machine's cores with the server. The soak keeps 64 clients busy, changes the
version half-way and watches memory. cpu_ms is CPU time per picture: other work blurs it least.
"""

import argparse
import asyncio
import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from segpipe.savedmodel.find import find

OUT = Path(__file__).parent / "out"
_CLIENTS = (1, 8, 64)
_PICTURES = 64
_READY_TIMEOUT_S = 120


@dataclass
class Load:
    """What a number of clients saw.

    Attributes:
      clients: that asked at the same time, each again as soon as it was answered.
      seconds: how long.
      latencies_s: of every answer.
      errors: answers other than 200, and connections that broke.
    """

    clients: int
    seconds: float
    latencies_s: list[float] = field(default_factory=list)
    errors: int = 0

    def row(self) -> dict[str, float]:
        """Requests per second, p50 and p99 in milliseconds, errors."""
        p50, p99 = np.percentile(self.latencies_s, [50, 99]) * 1e3
        return {
            "clients": self.clients,
            "requests_per_s": round(len(self.latencies_s) / self.seconds, 1),
            "p50_ms": round(float(p50), 1),
            "p99_ms": round(float(p99), 1),
            "answers": len(self.latencies_s),
            "errors": self.errors,
        }


def main() -> None:
    """Measures what the command line asks for and prints one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a run, a serving folder or one version")
    parser.add_argument("pictures", type=Path, help="a folder of JPEG or PNG files")
    parser.add_argument("--seconds", type=float, default=20, help="per number of clients")
    parser.add_argument("--soak", type=float, default=0, help="seconds at 64 clients with a version change; 0: none")
    parser.add_argument("--config", type=Path, help="the run's TOML file: the published signature, too")
    arguments = parser.parse_args()

    newest = Path(find(arguments.model))
    files = sorted(f for f in arguments.pictures.rglob("*") if f.suffix.lower() in (".jpg", ".jpeg", ".png"))
    encoded = [file.read_bytes() for file in files[:_PICTURES]]
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; timings want it near 0")
    baselines = {"own signature": alone("_tensorflow", newest, files[: len(encoded)], arguments.seconds)}
    if arguments.config:
        baselines["published signature"] = alone(
            "_published", arguments.config, files[: len(encoded)], arguments.seconds
        )
        if importlib.util.find_spec("tf2onnx"):
            baselines["ONNX Runtime"] = alone("_onnx", arguments.config, files[: len(encoded)], arguments.seconds)
    masks = {name: baseline.pop("masks") for name, baseline in baselines.items()}
    truth = masks["own signature"]
    for name, baseline in baselines.items():
        baseline["agreeing_pixels"] = round(float(np.mean(np.array(masks[name]) == np.array(truth))), 5)
        print(f"{name}, one picture at a time: {baseline}")
    compared = baselines.get("published signature", baselines["own signature"])
    result = {"model": str(newest), "cores": os.cpu_count(), "baselines": baselines}
    with tempfile.TemporaryDirectory() as folder:
        serving = Path(folder) / "serving"
        shutil.copytree(newest, serving / "1")
        with Server(serving) as server:
            result["equal_masks"] = equal = server.masks(encoded) == truth
            print(f"masks equal to those of its own signature: {equal}")
            result["loads"] = []
            for clients in _CLIENTS:
                before_s = server.cpu_s()
                row = asyncio.run(ask(server.port, encoded, clients, arguments.seconds)).row()
                row["cpu_ms"] = round(1e3 * (server.cpu_s() - before_s) / row["answers"], 1)
                row["times_baseline"] = round(row["requests_per_s"] / compared["requests_per_s"], 2)
                print(row)
                result["loads"].append(row)
            if arguments.soak:
                result["soak"] = soak(server, serving, newest, encoded, arguments.soak)
                print(result["soak"])
    OUT.mkdir(exist_ok=True)
    path = OUT / f"serving-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(path)


def soak(
    server: "Server", serving: Path, version: Path, pictures: Sequence[bytes], seconds: float
) -> dict[str, object]:
    """64 clients for a while; a second version, the same model, appears half-way."""

    async def run() -> tuple[Load, list[int]]:
        asking = asyncio.create_task(ask(server.port, pictures, _CLIENTS[-1], seconds))
        rss_mb = []
        while not asking.done():
            rss_mb.append(round(psutil.Process(server.process.pid).memory_info().rss / 2**20))
            if len(rss_mb) * 10 >= seconds / 2 and not (serving / "2").exists():
                shutil.copytree(version, serving / ".2")
                (serving / ".2").rename(serving / "2")
            await asyncio.wait([asking], timeout=10)
        return await asking, rss_mb

    load, rss_mb = asyncio.run(run())
    return {**load.row(), "rss_mb_every_10_s": rss_mb, "versions": server.versions()}


class Server:
    """`segpipe serve` in a process of its own, as a user starts it."""

    def __init__(self, serving: Path):
        self._serving = serving

    def __enter__(self) -> "Server":
        verb = "import typer; from segpipe.cli.serve import serve; typer.run(serve)"
        self.process = subprocess.Popen(
            [sys.executable, "-c", verb, str(self._serving), "--port", "0", "--name", "bench"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.port = int(self.process.stdout.readline().split("/")[2].split(":")[1])
        deadline_s = time.monotonic() + _READY_TIMEOUT_S
        while self._get("/v2/health/ready")[0] != 200:
            if time.monotonic() > deadline_s:
                raise TimeoutError("the server did not load its model")
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)

    def masks(self, pictures: Sequence[bytes]) -> list[object]:
        """The mask of each picture, as nested lists, asked for in one request each."""
        return [json.loads(asyncio.run(_one(self.port, picture)))["predictions"][0]["mask"] for picture in pictures]

    def versions(self) -> list[dict[str, object]]:
        """The versions' states."""
        return json.loads(self._get("/v1/models/bench")[1])["model_version_status"]

    def cpu_s(self) -> float:
        """CPU seconds that the server has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system

    def _get(self, path: str) -> tuple[int, bytes]:
        async def get() -> tuple[int, bytes]:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            try:
                return await _answer(reader)
            finally:
                writer.close()

        return asyncio.run(get())


async def ask(port: int, pictures: Sequence[bytes], clients: int, seconds: float) -> Load:
    """Lets clients ask in a closed loop, each on one kept-alive connection."""
    requests = [_request(picture) for picture in pictures]
    load = Load(clients, seconds)
    end_s = time.perf_counter() + seconds

    async def client(first: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
        position = first
        while (start_s := time.perf_counter()) < end_s:
            writer.write(requests[position % len(requests)])
            status, _ = await _answer(reader)
            if status == 200:
                load.latencies_s.append(time.perf_counter() - start_s)
            else:
                load.errors += 1
            position += 1
        writer.close()

    for outcome in await asyncio.gather(*(client(n) for n in range(clients)), return_exceptions=True):
        load.errors += isinstance(outcome, BaseException)
    return load


def _request(picture: bytes) -> bytes:
    body = json.dumps({"instances": [{"b64": base64.b64encode(picture).decode()}]}).encode()
    head = f"POST /v1/models/bench:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _one(port: int, picture: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 24)
    writer.write(_request(picture))
    try:
        return (await _answer(reader))[1]
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.split("content-length:")[1].split("\r\n")[0])
    return int(head.split()[1]), await reader.readexactly(length)


def alone(baseline: str, model: Path, files: Sequence[Path], seconds: float) -> dict[str, object]:
    """Runs a baseline in another process; its rate, latencies and masks."""
    code = f"import sys, benchmarks.serving as b; b.{baseline}(sys.argv[1], float(sys.argv[2]), sys.argv[3:])"
    done = subprocess.run(
        [sys.executable, "-c", code, str(model), str(seconds), *map(str, files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return json.loads(done.stdout)


def _tensorflow(version: str, seconds: float, files: Sequence[str]) -> None:
    import tensorflow as tf

    signature = tf.saved_model.load(version).signatures["serving_default"]
    [name] = signature.structured_input_signature[1]
    encoded = {file: Path(file).read_bytes() for file in files}
    _time(lambda file: signature(**{name: tf.constant([encoded[file]])})["mask"].numpy()[0], seconds, files)


def _network(toml: str) -> tuple[Any, int]:
    """The Keras model of a local run with the weights that its training left, and the side of its pictures."""
    from segpipe import config, model
    from segpipe.publish.weights import WEIGHTS_FILE

    settings = config.load(Path(toml))
    found = settings.output_path.glob(f"pipeline/Trainer/model_run/*/{WEIGHTS_FILE}")
    weights = max(found, key=lambda path: int(path.parent.name))
    unweighted = settings.model.model_copy(update={"weights": "none"})
    network = model.build(unweighted, settings.num_classes, settings.data.image_size, settings.directory).model
    network.load_weights(str(weights))
    return network, settings.data.image_size


def _published(toml: str, seconds: float, files: Sequence[str]) -> None:
    """As in `published_design._serving_default`, which is for Keras 2; its pictures are those that the weights know."""
    import tensorflow as tf

    from segpipe.preprocess import pictures

    network, side = _network(toml)

    def decode(text: tf.Tensor) -> tf.Tensor:
        return pictures.normalize(pictures.resize_image(pictures.decode_image(tf.io.decode_base64(text)), side))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(texts: tf.Tensor) -> tf.Tensor:
        images = tf.map_fn(decode, texts, fn_output_signature=tf.float32)
        return tf.argmax(network(images, training=False), -1)

    texts = {file: base64.urlsafe_b64encode(Path(file).read_bytes()) for file in files}
    _time(lambda file: serve(tf.constant([texts[file]])).numpy()[0], seconds, files)


def _onnx(toml: str, seconds: float, files: Sequence[str]) -> None:
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    from segpipe.preprocess.pictures import images_to_inputs

    network, side = _network(toml)
    weights = [[v.numpy() for v in group] for group in (network.trainable_variables, network.non_trainable_variables)]

    @tf.function(input_signature=[tf.TensorSpec([None, side, side, 3], tf.float32, name="images")], autograph=False)
    def predict(images: tf.Tensor) -> tf.Tensor:
        constants = [[tf.constant(value) for value in group] for group in weights]
        return network.stateless_call(*constants, images, training=False)[0]

    converted, _ = tf2onnx.convert.from_function(predict, input_signature=predict.input_signature, opset=17)
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    decode = tf.function(images_to_inputs)
    encoded = {file: Path(file).read_bytes() for file in files}

    def answer(file: str) -> np.ndarray:
        inputs = decode(tf.constant([encoded[file]]), side)
        return session.run(None, {"images": inputs.numpy()})[0][0].argmax(axis=-1)

    _time(answer, seconds, files)


def _time(predict: Callable[[str], np.ndarray], seconds: float, files: Sequence[str]) -> None:
    """Prints the rate, the latencies and the masks as JSON; `predict` has the files' content at hand."""
    masks = [predict(file).tolist() for file in files]
    latencies_s: list[float] = []
    end_s, before_s = time.perf_counter() + seconds, time.process_time()
    while (start_s := time.perf_counter()) < end_s:
        predict(files[len(latencies_s) % len(files)])
        latencies_s.append(time.perf_counter() - start_s)
    cpu_ms = round(1e3 * (time.process_time() - before_s) / len(latencies_s), 1)
    json.dump({**Load(1, seconds, latencies_s).row(), "cpu_ms": cpu_ms, "masks": masks}, sys.stdout)


if __name__ == "__main__":
    main()

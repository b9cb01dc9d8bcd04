"""A model in; how soon its demo answers in a browser, the first time and later, for both SDKs out.

python -m benchmarks.app RUN|MODEL_DIR [--pictures 10]

Every time is from handing a picture of 128 × 128 to the page in Debian's Chromium until the page shows the answer, with
the browser, the app and the model on the same cores. `start_s` is from the command until the page can be used.
"""

import argparse
import io
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

OUT = Path(__file__).parent / "out"
_SIDE_PX = 128
_START_TIMEOUT_S = 180


def main() -> None:
    """Measures what the command line asks for and prints one line per SDK."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.app", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a run's folder or a SavedModel")
    parser.add_argument("--pictures", type=int, default=10, help="after the first one")
    arguments = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; timings want it near 0")
    rows = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for sdk in ("gradio", "streamlit"):
            rows[sdk] = measure(browser, arguments.model, sdk, arguments.pictures)
            print(f"{sdk}: {rows[sdk]}")
        browser.close()
    OUT.mkdir(exist_ok=True)
    path = OUT / f"app-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps({"model": arguments.model, "cores": os.cpu_count(), **rows}, indent=1) + "\n")
    print(path)


def measure(browser: Browser, model: str, sdk: str, pictures: int) -> dict[str, float]:
    """Seconds from an upload to its answer: of the first picture, and the median and the slowest of the later ones."""
    started = time.monotonic()
    with app(model, sdk) as url:
        page = browser.new_page()
        page.goto(url)
        page.get_by_text("Model card").wait_for(timeout=1000 * _START_TIMEOUT_S)
        start_s = time.monotonic() - started
        seconds = []
        for number in range(pictures + 1):
            if number and sdk == "gradio":
                page.get_by_label("Remove Image").click()
            chooser = page.locator("input[type=file]").first
            chooser.wait_for(state="attached")
            width = _SIDE_PX + number  # So that the answer says which picture it is of.
            begun = time.monotonic()
            chooser.set_input_files(
                {"name": f"{number}.jpg", "mimeType": "image/jpeg", "buffer": picture(width, number)}
            )
            page.get_by_text(f"{width} × {_SIDE_PX} pixels").wait_for(timeout=1000 * _START_TIMEOUT_S)
            seconds.append(time.monotonic() - begun)
    return {
        "start_s": round(start_s, 2),
        "first_s": round(seconds[0], 2),
        "later_median_s": round(statistics.median(seconds[1:]), 3),
        "later_slowest_s": round(max(seconds[1:]), 3),
    }


@contextmanager
def app(model: str, sdk: str) -> Iterator[str]:
    """`segpipe app` in a process of its own; its address, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "segpipe.cli.main", "app", model, "--sdk", sdk, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the {sdk} app did not start; run {' '.join(command)} to see why.")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def picture(width: int, seed: int) -> bytes:
    """A JPEG of `width` × 128 pixels of smooth noise, another for each seed."""
    small = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((width, _SIDE_PX), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


if __name__ == "__main__":
    main()

"""Both demo apps in Debian's Chromium (`apt-get install chromium`), on the loopback interface."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from typer.testing import CliRunner

from segpipe.cli.main import app as command_line
from segpipe.palette import palette
from segpipe.publish.assemble import assemble
from segpipe.publish.files import File
from segpipe.publish.hub import HuggingFace
from segpipe.publish.space.plan import ModelRevision, SpacePlan
from tests import shapes
from tests.servers.hub import LoopbackHub

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed"),
]
NEAR = 6.0  # Of 255: Streamlit shows pictures as JPEG.
FIRST_S, LATER_S = 10.0, 2.0  # with a busy machine in mind; test_space holds the model's own half second


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1200, "height": 1100}, accept_downloads=True)
    page.set_default_timeout(120_000)  # A busy machine loads the model slowly for the first visitor.
    yield page
    page.close()


@pytest.fixture(scope="module", params=["gradio", "streamlit"])
def app(
    request: pytest.FixtureRequest, saved_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """SDK and URL of a running `segpipe app` with one example."""
    examples = tmp_path_factory.mktemp("examples")
    (examples / "example.jpg").write_bytes(picture(seed=9, width=90, height=70))
    port = free_port()
    options = ["--sdk", request.param, "--port", str(port), "--examples", examples]
    with running([sys.executable, "-m", "segpipe.cli.main", "app", saved_model, *options], port) as url:
        yield request.param, url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command: list, port: int, **where: object) -> Iterator[str]:
    """The URL of an app, while it runs."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **where)
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()  # Not SIGINT: a shell ignores that one for what it starts in the background.
        process.wait(20)


def wait_for(port: int, process: subprocess.Popen) -> None:
    for _ in range(600):
        assert process.poll() is None
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError


def upload(page: Page, name: str, content: bytes) -> None:
    page.locator("input[type=file]").first.set_input_files({"name": name, "mimeType": "image/png", "buffer": content})


def picture(seed: int = 3, width: int = 128, height: int = 128) -> bytes:
    buffer = io.BytesIO()
    shapes.draw(np.random.default_rng(seed), width, height)[0].save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def downloaded_mask(page: Page, sdk: str) -> np.ndarray:
    gradio, streamlit = page.locator("#mask a.download-link"), page.get_by_role("button", name="Download")
    with page.expect_download() as download:
        (gradio if sdk == "gradio" else streamlit).first.click()
    return np.asarray(Image.open(download.value.path()))


def predicted_mask(saved_model: Path, content: bytes, folder: Path) -> np.ndarray:
    """The mask that `segpipe predict` writes: uint8 [H, W]."""
    (folder / "shapes.jpg").write_bytes(content)
    predicted = CliRunner().invoke(
        command_line, ["predict", str(saved_model), str(folder / "shapes.jpg"), "-o", str(folder)]
    )
    assert predicted.exit_code == 0, predicted.output
    return np.asarray(Image.open(folder / "masks" / "shapes.png"))


def test_the_downloaded_mask_is_what_segpipe_predict_writes(
    app: tuple[str, str], page: Page, saved_model: Path, tmp_path: Path
):
    sdk, url = app
    page.goto(url)
    page.get_by_text("Model card").wait_for()
    content = picture(width=220, height=150)
    upload(page, "shapes.jpg", content)
    page.get_by_text("220 × 150 pixels").wait_for()
    expected = predicted_mask(saved_model, content, tmp_path)
    np.testing.assert_array_equal(downloaded_mask(page, sdk), expected)
    for class_id, name in enumerate(shapes.CLASSES):
        assert page.get_by_text(name, exact=True).count() == 1
        [share] = re.findall(rf"\b{name}\s+([\d.]+)%", page.locator("body").inner_text())
        assert float(share) / 100 == pytest.approx((expected == class_id).mean(), abs=0.02)
    assert page.get_by_role("link", name="Model card").get_attribute("href") == saved_model.as_uri()


def test_the_slider_blends_from_the_picture_to_the_colours(app: tuple[str, str], page: Page):
    sdk, url = app
    page.goto(url)
    content = picture(seed=8, width=120, height=80)
    upload(page, "shapes.png", content)
    page.get_by_text("120 × 80 pixels").wait_for()
    slider = page.get_by_role("slider").last
    slider.press("Home")
    original = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    wait_until(lambda: np.abs(overlay(page, sdk) - original).mean() < NEAR)
    slider.press("End")
    colours = palette(len(shapes.CLASSES)).astype(int)

    def is_painted() -> bool:
        differences = [np.abs(overlay(page, sdk) - colour).mean(axis=-1) for colour in colours]
        return bool((np.min(differences, axis=0) < NEAR).mean() > 0.9)

    wait_until(is_painted)


def overlay(page: Page, sdk: str) -> np.ndarray:
    """The segmentation as the page shows it, int [H, W, 3]."""
    image = page.locator("#overlay img" if sdk == "gradio" else "[data-testid=stImage] img").last
    for _ in range(100):
        response = page.request.get(image.evaluate("element => element.src"))
        if response.headers["content-type"].startswith("image/"):
            return np.asarray(Image.open(io.BytesIO(response.body())).convert("RGB")).astype(int)
        time.sleep(0.1)  # Streamlit forgets a picture a moment before the page shows the next.
    raise TimeoutError


def wait_until(holds: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_file_that_is_no_picture_gets_a_sentence_and_no_broken_image(app: tuple[str, str], page: Page):
    _, url = app
    page.goto(url)
    upload(page, "broken.png", b"\x89PNG\r\n\x1a\n and then nothing")
    sentence = page.get_by_text("This file is no picture that can be read. Please choose a JPEG, PNG or WebP.")
    sentence.wait_for()
    broken = "[...document.images].filter(image => image.complete && !image.naturalWidth).length"
    wait_until(lambda: page.evaluate(broken) == 0)
    page.wait_for_timeout(500)  # in which the app hears of the change that it made itself
    assert sentence.is_visible()
    upload(page, "next.jpg", picture(width=96, height=64))
    page.get_by_text("96 × 64 pixels").wait_for()
    assert sentence.count() == 0


def test_a_picture_taken_away_takes_its_answer_along(app: tuple[str, str], page: Page):
    sdk, url = app
    page.goto(url)
    upload(page, "shapes.jpg", picture(width=84, height=60))
    answer = page.get_by_text("84 × 60 pixels")
    answer.wait_for()
    page.get_by_label("Remove Image" if sdk == "gradio" else "Remove shapes.jpg").click()
    answer.wait_for(state="detached")


def test_an_example_can_be_picked_and_a_picture_uploaded_after_it(app: tuple[str, str], page: Page):
    sdk, url = app
    page.goto(url)
    if sdk == "gradio":
        page.locator(".gallery-item").first.click()
    else:
        page.get_by_label("…or an example").click()
        page.get_by_role("option", name="example.jpg").click()
    page.get_by_text("90 × 70 pixels").wait_for()
    if sdk == "gradio":
        page.get_by_label("Remove Image").click()
    page.locator("input[type=file]").first.wait_for(state="attached")
    upload(page, "broken.png", b"no picture")
    page.get_by_text("This file is no picture that can be read.").wait_for()


def test_the_first_answer_comes_in_ten_seconds_and_later_ones_at_once(app: tuple[str, str], page: Page):
    sdk, url = app
    page.goto(url)
    seconds = []
    for size in (128, 132, 136, 140):
        if seconds and sdk == "gradio":
            page.get_by_label("Remove Image").click()
        page.locator("input[type=file]").first.wait_for(state="attached")
        started = time.monotonic()
        upload(page, f"{size}.jpg", picture(size, size, size))
        page.get_by_text(f"{size} × {size} pixels").wait_for()
        seconds.append(time.monotonic() - started)
    assert seconds[0] < FIRST_S, seconds
    assert min(seconds[1:]) < LATER_S, seconds


@pytest.mark.parametrize("sdk", ["gradio", "streamlit"])
def test_the_space_as_pushed_shows_the_mask_of_its_pinned_version(
    sdk: str, loopback: LoopbackHub, client: HuggingFace, page: Page, saved_model: Path, tmp_path: Path
):
    space = SpacePlan("me/shapes", sdk=sdk)
    published = client.publish(assemble(saved_model, 1764000000, "me/shapes", {}, space=space))
    client.publish(assemble(saved_model, 1764000001, "me/shapes", {"license": "mit"}))  # main has moved on
    folder, home, port = tmp_path / "space", tmp_path / "home", free_port()
    folder.mkdir()
    for path, blob in loopback.repo("me/shapes", "space").find("main").tree.items():
        (folder / path).write_bytes(loopback.store.content(blob))
    environment = {
        **{name: value for name, value in os.environ.items() if name != "HF_TOKEN"},
        "HF_ENDPOINT": loopback.endpoint,
        "HF_HOME": str(home),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "STREAMLIT_SERVER_HEADLESS": "true",  # A container has no display.
        "PORT": str(port),
    }
    content = picture(width=220, height=150)
    expected = predicted_mask(saved_model, content, tmp_path)
    with running(start_command(folder, port), port, cwd=folder, env=environment) as url:
        page.goto(url)
        card = page.get_by_role("link", name="Model card")
        card.wait_for()
        assert card.get_attribute("href") == published.repo_url
        upload(page, "shapes.jpg", content)
        page.get_by_text("220 × 150 pixels").wait_for()
        original = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        blended = 0.4 * original + 0.6 * palette(len(shapes.CLASSES))[expected]
        wait_until(lambda: np.abs(overlay(page, sdk) - blended).mean() < NEAR)
        np.testing.assert_array_equal(downloaded_mask(page, sdk), expected)
    [snapshot] = (home / "hub" / "models--me--shapes" / "snapshots").iterdir()
    assert snapshot.name == published.commit_id


def test_what_visitors_leave_is_deleted_and_the_examples_stay(page: Page, saved_model: Path, tmp_path: Path):
    """Gradio's app, which keeps files for ten seconds here, not an hour: longer than an upload waits to be read."""
    folder, temporary, port = tmp_path / "app", tmp_path / "temporary", free_port()
    temporary.mkdir()
    example = File("example.jpg", picture(seed=9, width=90, height=70))
    for file in SpacePlan("me/shapes", examples=(example,)).render(ModelRevision("me/shapes", "1", "local", "")):
        (folder / file.path).parent.mkdir(parents=True, exist_ok=True)
        (folder / file.path).write_bytes(file.read())
    app = (folder / "app.py").read_text()
    assert app.count("KEPT_S = 3600") == 1
    (folder / "app.py").write_text(app.replace("KEPT_S = 3600", "KEPT_S = 10"))
    environment = {
        **os.environ, "TMPDIR": str(temporary), "SEGPIPE_MODEL_DIR": str(saved_model), "PORT": str(port),
        "GRADIO_ANALYTICS_ENABLED": "False",
    }  # fmt: skip

    def left() -> set[str]:
        return {path.name for path in temporary.rglob("*") if path.is_file()}

    with running(start_command(folder, port), port, cwd=folder, env=environment) as url:
        page.goto(url)
        page.get_by_text("Model card").wait_for()
        offered = left()
        upload(page, "shapes.jpg", picture(width=220, height=150))
        page.get_by_text("220 × 150 pixels").wait_for()
        wait_until(lambda: left() == offered, timeout_s=90)
        page.get_by_label("Remove Image").click()
        page.locator(".gallery-item").first.click()
        page.get_by_text("90 × 70 pixels").wait_for()


def start_command(space: Path, port: int) -> list[str]:
    """How the Hub starts a Space, but on 127.0.0.1:`port`: by its Dockerfile's CMD, or without one by its app.py."""
    if not (space / "Dockerfile").exists():
        return [sys.executable, "app.py"]
    [command] = re.findall(r"^CMD (\[.*?\])", (space / "Dockerfile").read_text(), re.DOTALL | re.MULTILINE)
    here = [f"--server.port={port}", "--server.address=127.0.0.1"]  # The last of two options counts.
    return [sys.executable, "-m", *json.loads(command.replace("\\\n", "")), *here]

import shutil

import pytest

from segpipe.evaluate.report_page import write_report
from tests.evaluate.test_report import full_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's Chromium: apt-get install chromium"),
]

# WCAG 2.2, 1.4.3: relative luminance of each text and of what is painted behind it.
LOW_CONTRAST = """() => {
  const parse = (color) => (color.match(/[\\d.]+/g) || []).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const back = parse(getComputedStyle(e).backgroundColor);
      if (back.length === 3 || back[3] === 1) return back;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const element of document.querySelectorAll("body *:not(svg *):not(script):not(style)")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3).map((n) => n.textContent.trim()).join("");
    if (!text || !element.checkVisibility()) continue;
    const ink = luminance(parse(getComputedStyle(element).color));
    const [a, b] = [ink, luminance(behind(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(`${text.slice(0, 30)}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
  }
  return bad;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "index.html"
    write_report(full_report(), path)
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=[("light", 1200), ("dark", 1200), ("light", 390)], ids=["light", "dark", "phone"])
def page(request, browser, address):
    """The page from disk; whatever it says on the console or asks of a network fails the test."""
    scheme, width = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else complaints.append(r.url))
    page.goto(address)
    yield page
    context.close()
    assert complaints == []


def test_it_opens_from_disk_with_all_sections_and_fits_the_screen(page):
    headings = page.locator("section > h2, .banner h2").all_text_contents()
    assert headings == [
        "Not blessed",
        "How good is it?",
        "Where does it fail?",
        "What was it trained on?",
        "How was it made?",
    ]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every((i) => !i.src || i.naturalWidth > 0)")
    assert page.locator("svg").count() == 5


def test_the_sentences_of_the_rules_have_room(page):
    table = page.locator("table", has_text="Rules of the gate")
    width = table.bounding_box()["width"]
    assert all(sentence.bounding_box()["width"] >= min(300, width) for sentence in table.locator(".sentence").all())
    assert table.locator("caption").bounding_box()["height"] < 40


def test_text_stands_out_from_its_background(page):
    assert page.evaluate(LOW_CONTRAST) == []


def test_tables_sort_both_ways_with_missing_numbers_last(page):
    table = page.locator("table", has_text="Mean IoU of slices")
    header = table.get_by_role("button", name="Mean IoU")
    column = table.locator("tbody tr td:nth-child(4)")
    header.click()
    assert column.all_text_contents() == ["0.610", "0.780", "–"]
    header.click()
    assert column.all_text_contents() == ["0.780", "0.610", "–"]
    assert table.locator("th[aria-sort=descending]").count() == 1


def test_pictures_enlarge_by_keyboard_and_close_by_escape(page):
    dialog = page.locator("dialog")
    page.locator("button.zoom").nth(1).focus()
    page.keyboard.press("Enter")
    assert dialog.is_visible()
    assert dialog.locator("p").inner_text() == "truth of tile-0"
    assert dialog.locator("img").bounding_box()["width"] > 300
    page.keyboard.press("Escape")
    assert not dialog.is_visible()

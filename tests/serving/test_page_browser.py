"""The page as someone uses it: a real browser, a real server, real files."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import cv2
import pytest

from deepfake_lightning.schemas import Preprocess
from deepfake_lightning.serving.settings import Bounds, Settings

pytest.importorskip("selenium", reason="selenium is not installed: the page is not tried")

from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    not (DRIVER and BROWSER), reason="there is no chromium with chromedriver: the page is not tried"
)
TOKEN = "0123456789abcdef-test"
FACES = Preprocess(
    input="frame", size=64, mean=(0, 0, 0), std=(1, 1, 1), sampling="even:4"
)  # finds faces; the detector scores how bright they are


class Page:
    """The page in a browser, and what is done on it."""

    def __init__(self, driver):
        self.driver = driver

    def open(self, url, path="/"):
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(url + path)
        self.driver.execute_script("localStorage.clear()")

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.one(selector).text

    def wait(self, condition, seconds=30):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"{self.text('main')}\n{self.driver.get_log('browser')}")
            time.sleep(0.05)

    def choose(self, path):
        self.one("#file").send_keys(str(path))

    def drop(self, path):
        """Drop a file on the page: the browser reads it, as of a hand."""
        self.driver.execute_script(
            "const field = document.createElement('input'); field.type = 'file'; field.id = 'hand';"
            "field.onchange = () => { const dataTransfer = new DataTransfer();"
            " dataTransfer.items.add(field.files[0]); field.remove();"
            " for (const kind of ['dragenter', 'dragover', 'drop']) document.body.dispatchEvent("
            "  new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true })); };"
            "document.body.append(field);"
        )
        self.one("#hand").send_keys(str(path))

    def verdict(self, seconds=30):
        self.wait(lambda: len(self.all("#session-list li")) == 1, seconds)
        return self.text("#verdict-title")

    def complaints(self):
        """Return what the browser objects to, but for statuses of answers."""
        log = self.driver.get_log("browser")
        return [each["message"] for each in log if each["source"] != "network"]

    def ask(self, module, names, code):
        """Return what an expression gives in the browser; ``names`` are those of a module."""
        return self.driver.execute_async_script(
            f"import('/static/{module}').then(({names}) => arguments[0]({code}),"
            " error => arguments[0](String(error)))"
        )


@pytest.fixture(scope="module")
def page():
    options = ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--lang=en"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options=options, service=ChromeService(DRIVER))
    driver.set_script_timeout(20)
    yield Page(driver)
    driver.quit()


@pytest.fixture
def show(page, serve, brightness):
    """Return a function that opens the page of a server that looks for faces."""

    def shown(**settings):
        network = brightness.Brightness()
        fleet = brightness.fleet_of(brightness.served(network, preprocess=FACES))
        server = serve(fleet=fleet, **settings)
        page.open(server.url)
        server.network = network
        return server

    return shown


@pytest.fixture(scope="module")
def portrait(tmp_path_factory) -> Path:
    """Return a photo: a public-domain portrait."""
    from skimage.data import astronaut

    path = tmp_path_factory.mktemp("photo") / "portrait.jpg"
    assert cv2.imwrite(str(path), astronaut()[..., ::-1])
    return path


@pytest.fixture(scope="module")
def two_faces(tmp_path_factory, make_portrait_clip) -> Path:
    """Return a clip of two people, 4 seconds long."""
    return make_portrait_clip(tmp_path_factory.mktemp("clip") / "two.mp4", frames=48, faces=2)


def test_a_dropped_picture_feedback_and_erasing(page, show, portrait):
    server = show()
    page.drop(portrait)
    assert page.verdict() in ("No indication found", "Manipulation indicated")
    request_id = page.text(".pairs .code")
    row = server.find(request_id)
    assert page.text(".score") == f"{row.items[0].score:.2f}"
    assert "Sound" in page.text(".says")  # what is not covered
    assert "v0.0.1" in page.text("#detector")
    assert page.text("#spoken").startswith(page.text("#verdict-title"))  # told to those who listen

    (box,) = page.all(".box")
    face, photo = box.rect, page.one(".frame img").rect
    assert 0.35 < (face["x"] + face["width"] / 2 - photo["x"]) / photo["width"] < 0.5
    assert 0.15 < (face["y"] + face["height"] / 2 - photo["y"]) / photo["height"] < 0.35
    page.driver.execute_script("arguments[0].focus()", page.one(".face"))
    assert page.all(".box.active")

    page.one("[value=real]").send_keys(Keys.SPACE)
    page.one("#by").send_keys("picture desk")
    page.one("#note").send_keys("<b>NASA</b>", Keys.TAB, Keys.ENTER)
    page.wait(lambda: "noted as real by picture desk" in page.text(".said"))
    (label,) = server.service.log.labels(request_id)
    assert (label.label, label.by, label.note) == (0, "picture desk", "<b>NASA</b>")

    page.one(".keeping .danger").click()
    page.one("dialog [value=no]").click()
    assert server.find(request_id)
    page.one(".keeping .danger").click()
    page.one("dialog [value=yes]").click()
    page.wait(lambda: "Erased" in page.text(".said"))
    assert server.find(request_id) is None
    assert not page.all(".feedback")
    assert page.complaints() == []


def test_the_timeline_of_a_clip_by_keyboard(page, show, two_faces):
    show()
    page.choose(two_faces)
    page.verdict()
    assert "4 frames of 48 were looked at" in page.text(".coverage")
    lanes = page.all("[role=slider]")
    assert len(lanes) == 2
    lane = lanes[0]
    assert len(lane.find_elements(By.CSS_SELECTOR, ".mark")) == 4
    page.wait(lambda: page.driver.execute_script("return document.querySelector('video').duration"))
    place = "return document.querySelector('video').currentTime"
    seen = []
    for key in (Keys.HOME, Keys.ARROW_RIGHT, Keys.END, Keys.ARROW_RIGHT, Keys.ARROW_LEFT):
        lane.send_keys(key)
        words = lane.get_attribute("aria-valuetext")
        seen.append(int(lane.get_attribute("aria-valuenow")))
        minutes, seconds = words.split(",")[0].split(":")
        at = 60 * int(minutes) + float(seconds)
        assert page.driver.execute_script(place) == pytest.approx(at, abs=0.06)
        assert "score" in words
    assert seen == [1, 2, 4, 4, 3]
    page.wait(lambda: len(page.all(".box.active")) == 2)  # both people are in the frame
    page.one(".frames summary").click()
    assert len(page.all(".frames tbody tr")) == 8
    assert page.complaints() == []


def test_a_token_is_asked_for_and_what_waited_goes_on(page, show, portrait):
    show(token=TOKEN)
    assert not page.one("#token").is_displayed()
    page.drop(portrait)
    page.wait(page.one("#token").is_displayed)
    assert page.driver.switch_to.active_element.get_attribute("type") == "password"
    page.driver.switch_to.active_element.send_keys("wrong-one", Keys.ENTER)
    page.wait(lambda: "not accepted" in page.text("#token-title"))
    page.driver.switch_to.active_element.send_keys(TOKEN, Keys.ENTER)
    assert page.verdict()
    assert "v0.0.1" in page.text("#detector")  # what strangers are not told
    kept = page.driver.execute_script("return [{...localStorage}, {...sessionStorage}]")
    assert TOKEN not in kept[0].values() and TOKEN in kept[1].values()
    page.one("#token-held").click()
    page.one("#token-forget").click()
    assert TOKEN not in page.driver.execute_script("return {...sessionStorage}").values()


def test_a_busy_server_a_retry_and_a_cancel(page, show, portrait):
    server = show(workers=1, bounds={"queue": 0})
    server.network.may_go.clear()
    held = threading.Thread(
        target=server.client.post, args=("/v1/predict",), kwargs={"content": portrait.read_bytes()}
    )
    held.start()
    page.wait(lambda: server.network.at_once == 1)
    page.choose(portrait)
    page.wait(page.one("#trouble").is_displayed)
    assert "Next:" in page.text("#trouble-words")
    again = page.one("#trouble-actions .main")
    assert not again.is_enabled()  # Retry-After
    server.network.may_go.set()
    held.join()
    page.wait(again.is_enabled)
    again.click()
    page.verdict()
    assert not page.one("#trouble").is_displayed()

    server.network.may_go.clear()
    page.choose(portrait)
    page.wait(lambda: "looked at" in page.text("#progress-words"))
    page.one("#cancel").send_keys(Keys.ENTER)
    page.wait(lambda: not page.one("#progress").is_displayed())
    server.network.may_go.set()
    page.wait(lambda: page.text("#spoken") == "Cancelled")
    assert len(page.all("#session-list li")) == 1


def test_refusals_and_a_server_that_is_gone(page, show, tmp_path, portrait):
    server = show()
    text = tmp_path / "letter.jpg"
    text.write_text("no picture")
    page.choose(text)
    page.wait(page.one("#trouble").is_displayed)
    assert "letter.jpg: not checked" in page.text("#trouble")
    assert not page.all("#trouble-actions .main")  # sending it again would not help
    page.driver.execute_cdp_cmd("Network.enable", {})
    conditions = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    cut = "Network.emulateNetworkConditions"
    page.driver.execute_cdp_cmd(cut, {"offline": True, **conditions})
    try:
        page.choose(portrait)
        page.wait(lambda: "The server does not answer" in page.text("#trouble"))
    finally:
        page.driver.execute_cdp_cmd(cut, {"offline": False, **conditions})
    page.one("#trouble-actions .main").click()
    assert page.verdict()
    assert server.count() >= 1


def test_a_long_clip_becomes_a_job(page, serve_settings, frame_bundle, two_faces, tmp_path):
    bounds = Bounds(seconds=2.0)
    server = serve_settings(Settings(tmp_path, bundle=frame_bundle.folder, bounds=bounds))
    page.open(server.url)
    page.wait(lambda: "clips up to 2 s" in page.text("#limits"))
    page.choose(two_faces)
    assert page.verdict(seconds=90) == "Score only, no verdict"  # this bundle is not calibrated
    (job,) = server.client.get("/v1/jobs").json()["jobs"]
    assert page.text(".pairs .code") == job["id"]
    assert len(page.all("[role=slider]")) == 2
    assert page.complaints() == []


@pytest.mark.parametrize("width", [320, 1280])
def test_it_fits_and_all_is_reached_by_keyboard(page, show, two_faces, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        show()
        page.choose(two_faces)
        page.verdict()
        wide = "return document.documentElement.scrollWidth"
        assert page.driver.execute_script(wide) <= width
        page.driver.execute_script("document.querySelector('.skip').focus()")
        reached = []
        for _ in range(60):
            held = page.driver.switch_to.active_element
            if "skip" in (held.get_attribute("class") or "") and reached:
                break
            reached.append(held.get_attribute("id") or held.get_attribute("class") or held.tag_name)
            ActionChains(page.driver).send_keys(Keys.TAB).perform()
        assert {"file", "shows", "by", "note"} <= set(reached)
        assert reached.count("lane") == 2
        assert reached.index("file") < reached.index("lane") < reached.index("by")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_description_of_the_api_is_shown_from_here(page, serve):
    page.open(serve().url, "/docs")
    page.wait(lambda: "/v1/predict" in page.text("#api"))
    asked = page.driver.execute_script(
        "return performance.getEntriesByType('resource').map(each => new URL(each.name).origin)"
    )
    assert set(asked) == {page.driver.execute_script("return location.origin")}
    assert page.complaints() == []


def test_the_api_is_tried_out_with_a_token(page, serve):
    page.open(serve(token=TOKEN).url, "/docs")
    page.wait(lambda: page.all(".btn.authorize"))
    page.one(".btn.authorize").click()
    page.one(".modal-ux input").send_keys(TOKEN)
    page.one(".modal-ux button.authorize").click()
    page.one(".modal-ux button.btn-done").click()
    jobs = page.one("[id$='list_jobs_v1_jobs_get']")
    jobs.find_element(By.CSS_SELECTOR, ".opblock-summary-control").click()
    page.wait(lambda: jobs.find_elements(By.CSS_SELECTOR, ".execute"))
    jobs.find_element(By.CSS_SELECTOR, ".execute").click()
    answered = ".live-responses-table tbody .response-col_status"
    page.wait(lambda: jobs.find_elements(By.CSS_SELECTOR, answered))
    assert jobs.find_element(By.CSS_SELECTOR, answered).text.startswith("200")
    assert page.complaints() == []


def test_only_crops_are_called_so(page, show, portrait):
    server = show()
    Select(page.one("#shows")).select_by_value("true")
    page.drop(portrait)
    page.verdict()
    assert "the whole picture" in page.text(".faces")
    assert server.count() == 1


def test_words_and_places(page, serve):
    """The page's pure parts."""
    page.open(serve().url)
    limits = "{ indicated_from: 0.8999, clear_below: 0.2 }"
    words = {
        f"it.scoreText(0.9, {limits})": "0.9000",  # told from the threshold
        f"it.scoreText(0.9, {limits.replace('0.8999', '0.9')})": "0.90",
        "it.scoreText(0.99996)": "0.99996",
        "it.scoreText(1 - 1e-9)": "over 0.99999",
        "it.scoreText(1e-9)": "under 0.00001",
        "it.scoreText(0)": "0.00",
        "it.scoreText(null)": "none",
        f"it.zoneOf(0.2, {limits})": "between",
        f"it.zoneOf(0.19, {limits})": "clear",
        f"it.zoneOf(0.8999, {limits})": "indicated",
        "it.zoneOf(0.99, null)": "unset",
        "it.verdictOf({ verdict: 'constructor' }).title": "Score only, no verdict",
        "it.durationText(125)": "2 min 5 s",
        "it.durationText(0.64)": "0.64 s",
        "it.durationText(NaN)": "unknown",
        "it.clockText(59960)": "1:00.0",
        "it.bytesText(67108864)": "67 MB",
        "it.sentence(' in between ')": "In between.",
        "it.retryAfter('7', 0)": 7,
        "it.retryAfter('Thu, 01 Jan 1970 00:00:09 GMT', 2000)": 7,
        "it.retryAfter('soon', 0)": None,
    }
    found = page.ask("format.js", "it", f"[{', '.join(words)}]")
    assert dict(zip(words, found, strict=True)) == words
    places = {
        "it.placeBox([-10, 20, 60, 50], 100, 50)":
            {"left": 0, "top": 40, "width": 50, "height": 60},
        "it.placeBox([200, 0, 5, 5], 100, 50)": None,
        "it.placeBox([0, 0, NaN, 5], 100, 50)": None,
        f"it.scaleParts({limits}).map(part => part.zone)": ["clear", "between", "indicated"],
        "it.scaleParts({ indicated_from: 0.5, clear_below: 0.5 }).map(part => part.zone)":
            ["clear", "indicated"],
        "it.scaleParts(null).map(part => part.zone)": ["unset"],
        "it.markAfterKey('ArrowLeft', 0, 3)": 0,
        "it.markAfterKey('End', 0, 3)": 2,
        "it.markAfterKey('a', 0, 3)": None,
        "it.markAfterKey('ArrowRight', -1, 3)": 0,
        "it.nearestMark([{ ms: 0 }, { ms: 900 }], 500)": 1,
        "it.seenStretches({ examined: { frames: 3, seconds: 0.12 } }, "
        "[{ marks: [{ ms: 0 }, { ms: 40 }, { ms: 500 }] }], 520)": [[0, 80], [500, 520]],
    }  # fmt: skip
    found = page.ask("geometry.js", "it", f"[{', '.join(places)}]")
    assert dict(zip(places, found, strict=True)) == places

"""The dashboard as someone uses it: a real browser, a real server, a real log."""

from __future__ import annotations

import json
import shutil
import time

import pytest

from deepfake_lightning.dashboard.view import PAGES
from deepfake_lightning.monitoring.log import PredictionLog

pytest.importorskip("selenium", reason="selenium is not installed: the dashboard is not tried")

from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

DRIVER = shutil.which("chromedriver")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(
    not (DRIVER and BROWSER), reason="there is no chromium with chromedriver: it is not tried"
)
OF = "return document.querySelector('.answer.fake').dataset.of"
TOKEN = "0123456789abcdef-test"


class Page:
    """The dashboard in a browser, and what is done on it."""

    def __init__(self, driver):
        self.driver = driver

    def one(self, selector):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def click(self, selector):
        """Click on what is there now: it may be shown anew at any time."""
        self.driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    def read(self, selector="main"):
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map(e => e.innerText).join(' ')",
            selector,
        )

    def wait(self, condition, seconds=20):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                pytest.fail(f"{self.read('body')[:2000]}\n{self.driver.get_log('browser')}")
            time.sleep(0.05)

    def wait_for(self, text, selector="main"):
        self.wait(lambda: text in self.read(selector))

    def width(self, pixels):
        size = {"width": pixels, "height": 800, "deviceScaleFactor": 1, "mobile": pixels < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def complaints(self):
        return [one["message"] for one in self.driver.get_log("browser")]

    def asked(self):
        """Return where the browser sent requests to."""
        found = (
            json.loads(one["message"])["message"] for one in self.driver.get_log("performance")
        )
        urls = [one["params"]["request"]["url"] for one in found
                if one["method"] == "Network.requestWillBeSent"]  # fmt: skip
        return {url.split("/")[2] for url in urls if url.startswith(("http", "ws"))}


@pytest.fixture(scope="module")
def driver():
    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = Chrome(options=options, service=ChromeService(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver):
    driver.get("about:blank")
    driver.get_log("browser")
    driver.get_log("performance")
    return Page(driver)


def test_somebody_looks_around_and_reviews(page, busy_copy, start):
    url = start(busy_copy, who="ada")
    page.width(1280)
    page.driver.get(url)
    page.wait_for("Requests\n299")
    assert "v1.1.0" in page.read(".share")
    assert len(page.all("table.compact tbody tr")) == 20

    page.click('nav a[href="/traffic"]')
    page.wait(lambda: len(page.all(".chart .main-svg")) >= 5)
    page.wait(lambda: page.driver.title == "Traffic: Deepfake Lightning")
    Select(page.one('[data-filter="version"]')).select_by_value("v1.1.0")
    page.wait_for("Requests\n99")
    assert page.driver.current_url == f"{url}/traffic?version=v1.1.0"
    page.driver.refresh()  # the address says it all
    page.wait_for("Requests\n99")

    page.click('nav a[href^="/review"]')
    page.wait_for("Real or fake?")
    request_id = page.driver.execute_script(OF)
    page.one("body").send_keys("f")
    page.wait_for("You said fake; v1.")
    page.wait(lambda: page.driver.execute_script(OF) != request_id)
    with PredictionLog(busy_copy.monitoring / "predictions.db") as log:
        assert [(one.label, one.by) for one in log.labels(request_id)] == [(1, "ada")]

    assert page.complaints() == []
    assert page.asked() == {url.removeprefix("http://")}


def test_who_has_a_token_logs_in(page, busy, start):
    url = start(busy, token=TOKEN, asks=True)
    page.driver.get(f"{url}/scores")
    page.wait_for("asks for a token")
    page.one("#token").send_keys("not the token")
    page.one("form button").click()
    page.wait_for("the token is missing or wrong", "#wrong")
    page.one("#token").clear()
    page.one("#token").send_keys(TOKEN)
    page.one("form button").click()
    page.wait_for("Verdicts and scores")
    assert page.driver.current_url == f"{url}/scores"
    page.one("#leave").click()
    page.wait_for("asks for a token")


@pytest.mark.slow
def test_no_page_is_wider_than_a_phone(page, busy, start):
    url = start(busy, who="ada")
    page.width(360)
    wide = "return document.documentElement.scrollWidth"
    for name in PAGES:
        page.driver.get(f"{url}/{name if name != 'overview' else ''}")
        page.wait_for("Times are UTC")
        time.sleep(0.5)  # charts take their width
        assert page.driver.execute_script(wide) <= 360, name
    assert page.complaints() == []

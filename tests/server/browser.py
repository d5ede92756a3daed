"""Drives Debian's Chromium without a screen, and tells what the page asked for and complained about."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

CHROMIUM, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
SHELL = (
    "/usr/lib/chromium/chromium-headless-shell"  # the same engine without windows, for two thirds of the work
)
FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    # Starting a process for each page takes a fourth of the time, and for each site another sixth.
    "--renderer-process-limit=1",
    "--disable-site-isolation-trials",
    "--disable-features=site-per-process,IsolateOrigins",
]
T = TypeVar("T")


class Browser:
    def __init__(self) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = SHELL if os.access(SHELL, os.X_OK) else CHROMIUM
        for flag in FLAGS:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(DRIVER))

    def open(
        self,
        url: str,
        *,
        width: int = 1280,
        height: int = 860,
        dark: bool = False,
        language: str = "en-GB",
        is_ours: bool = True,
    ) -> None:
        if self.driver.current_url != "about:blank":
            self.driver.get("about:blank")
        self.driver.get_log("performance")
        self.driver.get_log("browser")
        is_phone = width < 500
        self._cdp(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if is_phone else 1,
            mobile=is_phone,
        )
        self.colour(dark)
        agent = self.driver.execute_script("return navigator.userAgent")
        self._cdp("Network.setUserAgentOverride", userAgent=agent, acceptLanguage=language)
        self.driver.get(url)
        if is_ours:
            self.wait(lambda: self.all("#dot.on"))

    def colour(self, dark: bool) -> None:
        """Have the reader prefer dark or light pages from now on."""
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},  # drawn without a GPU, motion costs most
        ]
        self._cdp("Emulation.setEmulatedMedia", features=features)

    def _cdp(self, command: str, **parameters: Any) -> None:
        self.driver.execute_cdp_cmd(command, parameters)

    def ask(self, question: str) -> None:
        box = self.one("#question")
        box.clear()
        box.send_keys(question, Keys.ENTER)
        self.wait(lambda: self.one("#answer").get_attribute("aria-busy") == "false" and self.all(".sentence"))

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
        return self.driver.execute_script(script, selector)

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def html(self) -> str:
        return self.run("return document.documentElement.outerHTML")

    def keys(self, *keys: str) -> None:
        for key in keys:
            webdriver.ActionChains(self.driver).send_keys(key).perform()

    def focused(self) -> WebElement:
        return self.driver.switch_to.active_element

    def wait(self, is_true: Callable[[], T], timeout_s: float = 30.0) -> T:
        deadline_s = time.monotonic() + timeout_s
        while True:
            with suppress(StaleElementReferenceException):  # the page was drawn anew meanwhile
                if found := is_true():
                    return found
            assert time.monotonic() < deadline_s, "waited in vain"
            time.sleep(0.1)  # each look takes the processor for some 20 ms

    def reads(self, text: str) -> bool:
        """Whether any six words of a text stand anywhere on the page, attributes included."""
        words, html = text.split(), self.html()
        return any(" ".join(words[n : n + 6]) in html for n in range(max(1, len(words) - 5)))

    def worst_contrast(self) -> float:
        """The lowest contrast (WCAG 2.2, 1.4.3) of any visible text with the background it stands on."""
        return self.run(
            """
            const parse = (color) => color.match(/[\\d.]+/g).map(Number);
            const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
              .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
              .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
            const ground = (node) => {
              for (let each = node; each; each = each.parentElement) {
                const color = parse(getComputedStyle(each).backgroundColor);
                if (color.length === 3 || color[3] > 0) return color;
              }
              return [255, 255, 255];
            };
            const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
            let worst = 21;
            for (let text = walker.nextNode(); text; text = walker.nextNode()) {
              const node = text.parentElement;
              if (!text.data.trim() || !node.checkVisibility() || node.closest(".struck, .hidden")) continue;
              const [a, b] = [light(parse(getComputedStyle(node).color)), light(ground(node))];
              worst = Math.min(worst, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
            }
            return worst;
            """
        )

    def complaints(self) -> list[str]:
        """What the console says: errors, refused markup, everything that breaks the policy."""
        return [f"{entry['level']} {entry['message']}" for entry in self.driver.get_log("browser")]

    def requests(self) -> set[str]:
        """Every address that was asked for since the page was opened."""
        messages = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        return {
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        }

    def close(self) -> None:
        self.driver.quit()

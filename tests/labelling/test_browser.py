"""The page in a real browser: ten rows by keyboard, the map, a killed server, going on."""

import re
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest

from metaplastic.cli.main import main
from metaplastic.models.io import load_encoder
from metaplastic.readings.io import load_reading

CHROMIUM = next(
    (p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None
)
SMALL = ["--rule", "oja", "--hidden-sizes", "6", "--n-components", "6", "--n-steps", "4"]
SMALL += ["--batch-size", "16", "--n-networks", "1", "--no-browser"]
WORDS = ("zero", "<b>one</b>")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file of 60 small images, dark or bright, and the folder it is in."""
    folder = tmp_path_factory.mktemp("label")
    x = np.random.default_rng(0).uniform(0, 60, size=(60, 16)) + 180 * (np.arange(60) % 2)[:, None]
    np.savez(folder / "tiles.npz", x=x.astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@contextmanager
def served(data, *more, out="labels.csv"):
    """The process of `metaplastic label`, and where its page is."""
    command = [sys.executable, "-m", "metaplastic", "label", "tiles.npz", "--images"]
    command += ["--out", out, *SMALL, *more]
    process = subprocess.Popen(
        command, cwd=data, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://\S+", line):
                yield process, found[0]
                return
        raise AssertionError("".join(said))
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def shown_row(page) -> int:
    return int(re.search(r"Row (\d+)", page.inner_text("#row-title"))[1])


@pytest.mark.slow
def test_label_by_keyboard_and_go_on_after_a_kill(data, browser):
    with served(data) as (process, url):
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        wrong = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        empty = page.locator("#map").screenshot()
        for count in range(1, 11):
            word = WORDS[shown_row(page) % 2]
            names = page.locator("#classes button span:nth-child(2)").all_inner_texts()
            if word in names:
                page.keyboard.press(str(1 + names.index(word)))
            else:
                page.keyboard.press("n")
                page.keyboard.type(word)
                page.keyboard.press("Enter")
            page.wait_for_selector(f'body[data-labelled="{count}"]')
            assert len(pd.read_csv(data / "labels.csv")) == count
        assert page.locator("#map").screenshot() != empty
        assert "rows are read right" in page.inner_text("#estimate")
        assert "Next: row" in page.inner_text("#said")
        assert page.locator("#row img").evaluate("image => image.naturalWidth") == 4
        page.keyboard.press("u")
        page.wait_for_selector('body[data-labelled="9"]')
        assert wrong == []
        second = subprocess.run(
            [*process.args], cwd=data, capture_output=True, text=True, check=False
        )
        assert second.returncode == 2 and "open in another page" in second.stderr
        process.send_signal(signal.SIGKILL)
        process.wait()
        page.keyboard.press("1")
        page.wait_for_selector("#error:not([hidden])")
        assert "start it again" in page.inner_text("#error")
        page.close()
    labels = pd.read_csv(data / "labels.csv")
    assert len(labels) == 9
    assert all(WORDS[row % 2] == label for row, label in labels.itertuples(index=False))
    with served(data) as (process, url):
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector('body[data-ready][data-labelled="9"]')
        page.click("#finish")
        page.wait_for_selector("#said:has-text('can be closed')")
        page.close()
        assert process.wait(30) == 0
    check_what_was_saved(data)


def check_what_was_saved(data):
    encoder, _ = load_encoder(data / "labels.encoder.safetensors")
    reading, classes, _ = load_reading(data / "labels.reading.safetensors", encoder.n_features_out)
    with np.load(data / "tiles.npz") as held:
        said = np.array(classes)[reading.scores(encoder(held["x"])).argmax(1)]
    assert np.mean(said == np.array(WORDS)[np.arange(60) % 2]) > 0.9
    words = ["evaluate", str(data / "tiles.npz"), "--labels", str(data / "labels.csv")]
    assert main([*words, "--learner", "raw", "--shots", "1", "--draws", "2", "--seeds", "1"]) == 0


@pytest.mark.slow
def test_nothing_is_too_wide_and_all_can_be_read(data, browser):
    with served(data, "--classes", "a,b", out="narrow.csv") as (_, url):
        page = browser.new_page(viewport={"width": 360, "height": 700})
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
        # Every control can be reached by the keyboard and has a name.
        names = []
        for _ in range(8):
            page.keyboard.press("Tab")
            names += page.evaluate(
                "() => [(document.activeElement.labels?.[0] ?? document.activeElement).innerText]"
            )
        for name in ("Finish and save", "New class", "Skip", "Label with it", "a", "b"):
            assert any(name in found for found in names), (name, names)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            for where in ("body", ".quiet", "#skip", "#finish"):
                assert contrast(page, where) >= 4.5, (scheme, where)
        page.close()


def contrast(page, where: str) -> float:
    """Of a text and what is behind it, as WCAG 2 counts it."""
    colours = page.locator(where).first.evaluate(
        """node => {
          let behind = node;
          const clear = n => getComputedStyle(n).backgroundColor === "rgba(0, 0, 0, 0)";
          while (clear(behind) && behind.parentElement) behind = behind.parentElement;
          return [getComputedStyle(node).color, getComputedStyle(behind).backgroundColor];
        }"""
    )
    values = []
    for colour in colours:
        parts = np.array([float(p) / 255 for p in re.findall(r"[\d.]+", colour)[:3]])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        values.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(values) + 0.05) / (min(values) + 0.05)

"""What a person does, in a real browser: upload, run, look, reload, download."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Server

pytestmark = [pytest.mark.browser, pytest.mark.slow]
RUN_MS = 420_000


def no_traceback(page: Page) -> None:
    expect(page.get_by_text("Traceback")).to_have_count(0)
    expect(page.get_by_test_id("stException")).to_have_count(0)


def chart_of(page: Page, name: str) -> Locator:
    """One of the charts of the Compare page."""
    return page.locator(f".st-key-chart_{name} .js-plotly-plot")


def click_at_rest(target: Locator, **options: bool) -> None:
    """Click what may still be moving: folds open and charts grow, also after the script has finished."""
    before = None
    while before != (before := target.bounding_box()):
        target.page.wait_for_timeout(500)
    target.click(**options)


def test_a_cold_deep_link_lands_on_its_page(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/compare?comparison=gone")
    expect(page.get_by_role("heading", name="Compare", exact=True)).to_be_visible()
    expect(page.get_by_test_id("stSidebarNav").get_by_text("Optimize")).to_be_visible()
    no_traceback(page)


def test_a_bad_upload_gets_one_sentence(page: Page, server: Server, tmp_path: Path) -> None:
    bad = tmp_path / "model.onnx"
    bad.write_bytes(b"this is no model at all")
    page.goto(f"{server.url}/models")
    page.locator("input[type=file]").first.set_input_files(bad)
    expect(page.get_by_test_id("stAlert").first).to_be_visible(timeout=240_000)
    assert "\n" not in page.get_by_test_id("stAlert").first.inner_text().strip().removeprefix("error").strip()
    no_traceback(page)


def test_upload_run_compare_and_download(page: Page, server: Server, torchscript_file: Path) -> None:
    page.goto(f"{server.url}/models")
    page.locator("input[type=file]").first.set_input_files(torchscript_file)
    page.get_by_role("button", name="Optimize this model").click(timeout=240_000)
    page.wait_for_url("**/optimize*")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_enabled()
    page.get_by_role("radio", name="My own").click()
    page.get_by_role("textbox", name="Write a recipe yourself").fill("freeze > torchscript")
    click_at_rest(page.get_by_role("button", name="Add", exact=True))
    expect(page.get_by_text("2 variants")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    page.wait_for_url("**/runs*")
    expect(page.get_by_role("button", name="Cancel all")).to_be_visible()

    page.reload()
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    expect(page.get_by_text("2 of 2 variants worked")).to_be_visible(timeout=RUN_MS)

    page.get_by_role("button", name="Compare", exact=True).click()
    page.wait_for_url("**/compare*")
    for chart in ("size", "accuracy", "latency", "throughput", "tradeoff"):
        expect(chart_of(page, chart)).to_be_visible()
    no_traceback(page)

    with page.expect_download() as download:
        page.get_by_role("button", name="HTML report").click()
    saved = Path(download.value.path()).read_text()
    assert "All results" in saved
    assert "little" in saved


def test_a_click_on_a_bar_selects_the_variant(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/compare")
    expect(chart_of(page, "size")).to_be_visible()
    bar = chart_of(page, "size").locator(".barlayer .point path").first
    click_at_rest(bar, force=True)
    expect(page.get_by_text("Explain this variant")).to_be_visible()
    assert "variant=" in page.url


def test_the_demo_runs_both_and_ends_with_its_tab(page: Page, server: Server) -> None:
    page.goto(f"{server.url}/demo")
    page.get_by_role("button", name="Run 50").click()
    expect(page.get_by_text("Last 49 calls, median")).to_have_count(2)
    assert "left=" in page.url
    no_traceback(page)
    assert len(list(server.home.glob("jobs/live-*"))) == 2
    page.close()
    deadline = time.monotonic() + 30
    while list(server.home.glob("jobs/live-*")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not list(server.home.glob("jobs/live-*"))


def test_the_report_file_draws_its_charts(page: Page, server: Server, tmp_path: Path) -> None:
    from engine import report
    from tests.documents import gpu_document

    path = report.write(gpu_document(), "html", tmp_path)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(path.as_uri())
    expect(page.locator(".js-plotly-plot")).to_have_count(11)
    page.emulate_media(color_scheme="dark")
    expect(page.locator("body")).to_have_css("background-color", "rgb(20, 23, 28)")
    assert errors == []


def test_the_keyboard_reaches_the_first_button(page: Page, server: Server) -> None:
    page.goto(server.url)
    button = page.get_by_role("button", name="Try a sample")
    expect(button).to_be_visible()
    for _ in range(40):
        page.keyboard.press("Tab")
        if button.evaluate("each => each === document.activeElement"):
            return
    pytest.fail("The button can't be reached with the Tab key.")

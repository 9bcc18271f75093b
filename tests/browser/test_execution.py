"""One execution: live, zoomed, wide, large, signalled, cancelled, run again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_steps_appear_while_it_runs(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("slow", 10, "live")
    page = open_page(site, "#/executions/live")
    expect(page.get_by_role("button", name="RUNNING slowly").first).to_be_visible()
    expect(page.get_by_role("button", name="SUCCEEDED slowly", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="slowly #4")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    expect(page.get_by_role("button", name="slowly #10")).to_be_visible()


def test_dragging_over_the_bars_zooms(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("slow", 4, "zoom")
    site.ends("zoom", "SUCCEEDED")
    page = open_page(site, "#/executions/zoom")
    last = page.get_by_role("button", name="slowly #4")
    expect(last).to_be_visible()
    all_ = page.get_by_role("button", name="Show all")
    expect(all_).to_be_disabled()
    box = page.get_by_role("region", name="Commands by time").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 300, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 500, box["y"] + 60, steps=5)
    expect(page.locator(".selection")).to_be_visible()
    page.mouse.up()
    expect(all_).to_be_enabled()
    expect(page.locator(".brush")).to_be_visible()
    # The last step lies outside of what is shown now.
    expect(page.locator('svg[data-id="slowly#4"] rect')).to_have_count(0)
    all_.click()
    expect(page.locator('svg[data-id="slowly#4"] rect').first).to_be_visible()
    page.get_by_role("region", name="Commands by time").focus()
    page.keyboard.press("+")
    expect(all_).to_be_enabled()
    page.keyboard.press("0")
    expect(all_).to_be_disabled()


def test_thousands_of_commands_are_drawn_as_few_and_scroll_smoothly(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("fan-out", 3000, "wide")
    site.ends("wide", "SUCCEEDED", 60)
    page = open_page(site, "#/executions/wide")
    expect(page.get_by_role("button", name="SUCCEEDED one", exact=True)).to_be_visible()
    assert page.locator(".t-row").count() < 80
    slowest = page.get_by_role("region", name="Commands by time").evaluate(
        """async box => {
            let slowest = 0, last = performance.now();
            for (let at = 0; at < 40; at++) {
                box.scrollTop = at * 1900;
                await new Promise(requestAnimationFrame);
                slowest = Math.max(slowest, performance.now() - last);
                last = performance.now();
            }
            return slowest;
        }"""
    )
    assert slowest < 500, f"a frame took {slowest:.0f} ms"
    page.get_by_role("link", name="Graph").click()
    expect(page.get_by_role("button", name="one ×3000")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("6,002 events")).to_be_visible()


def test_the_graph_shows_what_led_to_what(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("statement", {"customer": "ann"}, "graph")
    site.ends("graph", "SUCCEEDED")
    page = open_page(site, "#/executions/graph?view=graph")
    for name in ("collect_sales", "collect_costs", "render", "send"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    expect(page.locator(".g-edge")).to_have_count(3)
    page.get_by_role("button", name="render").click()
    expect(page.get_by_role("complementary")).to_contain_text('"sales": 1200')


def test_large_values_are_drawn_when_asked_for_and_downloaded_whole(
    site: Site, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    site.start("large", 300_000, "large")
    site.ends("large", "SUCCEEDED")
    page = open_page(site, "#/executions/large?command=big")
    show = page.get_by_role("button", name="Show output (300.0 KB)")
    expect(show).to_be_visible()
    assert len(page.get_by_role("complementary").inner_text()) < 5000
    with page.expect_download() as download:
        page.get_by_role("button", name="Download Output").click()
    download.value.save_as(tmp_path / "output.json")
    assert json.loads((tmp_path / "output.json").read_text()) == "x" * 300_000
    show.click()
    expect(page.get_by_role("group", name="Output as JSON")).to_be_visible()


def test_values_are_copied(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", {"a": [1, "ü"]}, "copied")
    page = open_page(site, "#/executions/copied?view=values")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy Input").click()
    expect(page.get_by_role("button", name="Copied Input")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {"a": [1, "ü"]}


def test_a_signal_is_checked_against_its_type_and_then_taken(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("payment", 1200, "pay")
    page = open_page(site, "#/executions/pay")
    expect(page.get_by_role("button", name="signal approval")).to_be_visible()
    page.get_by_role("button", name="Send signal…").click()
    dialog = page.get_by_role("dialog", name="Send a signal")
    expect(dialog.get_by_label("Name")).to_have_value("approval")
    payload = dialog.get_by_label("Payload (JSON)")
    payload.fill("{")
    expect(dialog.get_by_role("button", name="Send")).to_be_disabled()
    payload.fill('{"approved": "perhaps"}')
    dialog.get_by_role("button", name="Send").click()
    expect(dialog.get_by_role("alert")).to_contain_text("payload.approved")
    expect(dialog.get_by_role("alert")).to_contain_text("payload.by")
    payload.fill('{"approved": true, "by": "ann"}')
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    assert site.show("pay")["result"] == "1200 by ann"


def test_cancel_asks_first(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("payment", 1, "cancelled")
    page = open_page(site, "#/executions/cancelled")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Let it run").click()
    assert site.show("cancelled")["status"] == "RUNNING"
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel the execution").click()
    expect(page.get_by_role("status").filter(has_text="CANCELLED")).to_be_visible()
    expect(page.get_by_role("button", name="Cancel…")).to_have_count(0)


def test_running_again_begins_with_the_same_input(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("statement", {"customer": "bob", "quarter": "Q3", "copies": ["a@b.c"]}, "first")
    site.ends("first", "SUCCEEDED")
    page = open_page(site, "#/executions/first")
    page.get_by_role("link", name="Run again…").click()
    expect(page.get_by_label("customer")).to_have_value("bob")
    expect(page.get_by_label("copies 1", exact=True)).to_have_value("a@b.c")
    page.get_by_label("customer").fill("carol")
    page.get_by_label("Execution id").fill("second")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="second")).to_be_visible()
    expected = {**site.show("first")["input"], "customer": "carol"}
    assert site.show("second")["input"] == expected


def test_an_id_that_is_not_there_says_so(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/executions/nowhere")
    expect(page.get_by_role("heading", name="There is no execution “nowhere”")).to_be_visible()

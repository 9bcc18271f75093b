"""One execution: live, quiet while nothing changes, zoomed, wide, cancelled, its graph and its history."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, Response, expect

from tests.browser.site import Site


def test_steps_appear_while_it_runs(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("slow", 10, "live")
    page = open_page(site, "#/executions/live")
    expect(page.get_by_role("button", name="RUNNING slowly").first).to_be_visible()
    expect(page.get_by_role("button", name="SUCCEEDED slowly", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="slowly #4")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    expect(page.get_by_role("button", name="slowly #10")).to_be_visible()


def test_what_has_not_changed_is_not_sent_again(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("payment", 1200, "still")
    page = open_page(site, "#/executions/still")
    expect(page.get_by_role("button", name="signal approval")).to_be_visible()

    def unchanged(response: Response) -> bool:
        return "/v1/executions/still" in response.url and response.status == 304

    for _ in range(2):
        with page.expect_response(unchanged) as answer:
            pass
        assert answer.value.request.header_value("if-none-match")
    expect(page.get_by_role("button", name="signal approval")).to_be_visible()
    site.http.post("/v1/executions/still/signals/approval", json={"payload": {"approved": True, "by": "ann"}})
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()


def test_attempts_pauses_and_timers_are_bars_of_their_own_and_steps_side_by_side_overlap(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("patient", 0.6, "bars")
    site.ends("bars", "SUCCEEDED")
    page = open_page(site, "#/executions/bars")

    def bars(command: str) -> list[str]:
        shapes = page.locator(f'svg[data-id="{command}"] rect')
        return [(shapes.nth(n).get_attribute("class") or "").removeprefix("bar ") for n in range(shapes.count())]

    expect(page.get_by_role("button", name="SUCCEEDED one")).to_be_visible()
    ids = {command["name"]: command["id"] for command in site.show("bars")["commands"]}
    assert [bar for bar in bars(ids["stumble"]) if "queued" not in bar] == [
        "b-attempt o-failed",
        "b-pause o-failed",
        "b-attempt o-succeeded",
    ]
    assert bars(ids["timer"]) == ["b-timer o-succeeded"]
    slow, other = (page.locator(f'svg[data-id="{ids[name]}"] rect.b-attempt').first for name in ("slowly", "stumble"))
    here, there = slow.bounding_box(), other.bounding_box()
    assert here is not None
    assert there is not None
    assert here["x"] < there["x"] + there["width"]
    assert there["x"] < here["x"] + here["width"]


def test_waits_and_retries_show_while_they_last(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("patient", 600, "waits")
    site.start("restless", 600, "retries")
    page = open_page(site, "#/executions/waits")
    expect(page.get_by_role("button", name="OPEN timer")).to_be_visible()
    (id,) = (command["id"] for command in site.show("waits")["commands"] if command["name"] == "timer")
    timer = page.locator(f'svg[data-id="{id}"]')
    expect(timer.locator("rect.b-timer.live")).to_be_visible()
    expect(timer.get_by_text(re.compile(r"until \d"))).to_be_visible()
    under_way = page.locator(".execution-head .facts div", has_text="Under way")
    expect(under_way).to_contain_text("timer")

    page.goto(f"{site.url}/#/executions/retries")
    row = page.locator('svg[data-id="refused"]')
    expect(row.locator("rect.b-attempt.o-failed")).to_be_visible()
    expect(row.locator("rect.b-pause.live")).to_be_visible()
    expect(row.get_by_text(re.compile(r"until \d"))).to_be_visible()
    expect(under_way).to_contain_text("refused, retrying")
    text = row.locator("text").text_content()
    expect(row.locator("text")).not_to_have_text(text or "")  # it grows by itself
    page.get_by_role("button", name="RETRYING refused").click()
    details = page.get_by_role("complementary")
    expect(details).to_contain_text("Tried again")
    expect(details).to_contain_text("next one after 10 min")
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(page.get_by_role("button", name="RETRYING refused")).to_be_focused()


def test_the_history_is_a_table_that_can_be_downloaded(
    site: Site, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    site.start("patient", 0.1, "past", {"team": "ops"})
    site.ends("past", "SUCCEEDED")
    page = open_page(site, "#/executions/past?view=history")
    table = page.get_by_role("table", name="Events")
    expect(table.get_by_role("row", name="attempt-failed")).to_contain_text("not at the first attempt")
    expect(table.get_by_role("row", name="execution-started")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as JSON").click()
    download.value.save_as(tmp_path / "history.json")
    events = json.loads((tmp_path / "history.json").read_text())
    assert events == site.http.get("/v1/executions/past/history").json()["events"]
    facts = page.locator(".execution-head .facts")
    for text in ("Workflow", "patient", "Started", "Ended", "Duration", "Commands", "team", "ops"):
        expect(facts).to_contain_text(text)


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
    site.start("fan-out", 5000, "wide")
    site.ends("wide", "SUCCEEDED", 60)
    page = open_page(site, "#/executions/wide")
    fold = page.get_by_role("button", name="SUCCEEDED one ×5,000")
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(page.get_by_role("button", name="SUCCEEDED one", exact=True)).to_be_visible()
    assert page.locator(".t-row").count() < 80
    # The median, since a busy machine takes the browser's turn now and then: 17 ms on an idle one.
    usual = page.get_by_role("region", name="Commands by time").evaluate(
        """async box => {
            const frames = [];
            for (let at = 0, last = performance.now(); at < 61; at++) {
                box.scrollTop = at * 2100;
                await new Promise(requestAnimationFrame);
                frames.push(performance.now() - last);
                last = performance.now();
            }
            return frames.sort((a, b) => a - b)[30];
        }"""
    )
    assert usual < 100, f"the usual frame took {usual:.0f} ms"
    # Most of them waited for one of the workers, which shows before their attempts.
    expect(page.locator("rect.b-queued").first).to_be_visible()
    page.get_by_role("link", name="Graph").click()
    expect(page.get_by_role("button", name="one ×5000")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("10,002 events")).to_be_visible()


def test_the_graph_shows_what_led_to_what(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("statement", {"customer": "ann"}, "graph")
    site.ends("graph", "SUCCEEDED")
    page = open_page(site, "#/executions/graph?view=graph")
    for name in ("collect_sales", "collect_costs", "render", "send"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    expect(page.locator(".g-edge")).to_have_count(3)
    page.get_by_role("button", name="render").click()
    expect(page.get_by_role("complementary")).to_contain_text('"sales": 1200')


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


def test_an_id_that_is_not_there_says_so(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/executions/nowhere")
    expect(page.get_by_role("heading", name="There is no execution “nowhere”")).to_be_visible()

"""Inputs, outputs and results: large ones come when they are asked for, all can be had whole, and used again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Download, Page, expect

from tests.browser.site import Site

LARGE = 300_000


def _read(download: Download, folder: Path) -> object:
    download.save_as(folder / "downloaded.json")
    return json.loads((folder / "downloaded.json").read_text())


def test_a_large_output_is_loaded_when_asked_for_and_then_copied_and_downloaded_whole(
    site: Site, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    site.start("large", LARGE, "large")
    site.ends("large", "SUCCEEDED")
    page = open_page(site, "#/executions/large?command=big")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    sent = page.evaluate("performance.getEntriesByType('resource').map(one => one.encodedBodySize)")
    load = page.get_by_role("button", name="Load output (300.0 KB)")
    expect(load).to_be_visible()
    assert max(sent) < LARGE
    output = page.get_by_role("region", name="Output")
    expect(output.get_by_role("button")).to_have_count(1)  # nothing to copy that is not here

    with page.expect_request(lambda request: "command=big" in request.url):
        load.click()
    expect(page.get_by_role("group", name="Output as JSON")).to_contain_text("xxxx")
    with page.expect_download() as download:
        output.get_by_role("button", name="Download Output").click()
    assert _read(download.value, tmp_path) == "x" * LARGE
    output.get_by_role("button", name="Copy Output").click()
    expect(output.get_by_role("button", name="Copied Output")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == "x" * LARGE


def test_large_input_and_result_are_loaded_one_by_one_and_the_whole_execution_downloaded(
    site: Site, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    site.start("echo", ["y" * LARGE, "ü"], "both")
    site.ends("both", "SUCCEEDED")
    page = open_page(site, "#/executions/both")
    page.locator(".execution-head").get_by_role("link", name="300.0 KB").first.click()
    page.get_by_role("button", name="Load input").click()
    expect(page.get_by_role("group", name="Input as JSON")).to_contain_text("yyyy")
    expect(page.get_by_role("button", name="Load result")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the whole execution as JSON").click()
    whole = {name: value for name, value in site.show("both").items() if name != "next"}  # of a page, not of the whole
    assert _read(download.value, tmp_path) == whole


def test_a_value_that_cannot_be_loaded_says_so_in_its_place(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("large", LARGE, "away")
    site.ends("away", "SUCCEEDED")
    page = open_page(site, "#/executions/away?command=big")
    page.route("**/v1/executions/away?command=*", lambda route: route.fulfill(status=503, body="{}"))
    output = page.get_by_role("region", name="Output")
    output.get_by_role("button", name="Load output").click()
    expect(output.get_by_role("alert")).to_be_visible()
    page.unroute("**/v1/executions/away?command=*")
    output.get_by_role("button", name="Load output").click()
    expect(page.get_by_role("group", name="Output as JSON")).to_be_visible()


def test_the_header_tells_input_and_result_and_leads_to_all_of_them(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("statement", {"customer": "ann"}, "brief")
    site.ends("brief", "SUCCEEDED")
    page = open_page(site, "#/executions/brief")
    head = page.locator(".execution-head")
    expect(head.locator("div", has_text="Result")).to_contain_text('"statement of 500 sent to ann"')
    head.get_by_role("link", name='{"customer":"ann"').click()
    expect(page.get_by_role("group", name="Input as JSON")).to_contain_text('"quarter": "Q1"')


def test_values_are_copied(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", {"a": [1, "ü"]}, "copied")
    page = open_page(site, "#/executions/copied?view=values")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy Input").click()
    expect(page.get_by_role("button", name="Copied Input")).to_be_visible()
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == {"a": [1, "ü"]}


def test_a_step_tells_its_times_pool_and_idempotency_key(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("statement", {"customer": "ann"}, "told")
    site.ends("told", "SUCCEEDED")
    (render,) = [command for command in site.show("told")["commands"] if command["name"] == "render"]
    page = open_page(site, "#/executions/told")
    page.get_by_role("button", name="render").click()
    facts = page.get_by_role("complementary").locator(".facts")
    for name, value in {
        "Command id": "render",
        "Asked for": render["first_at"][11:19],
        "Ended": render["ended_at"][11:19],
        "Took": re.compile(r"\d m?s$"),
        "Pool": "pdf",
        "Idempotency key": render["idempotency_key"],
    }.items():
        expect(facts.locator("div", has_text=name)).to_contain_text(value)


def test_running_again_begins_with_the_same_input(site: Site, open_page: Callable[..., Page]) -> None:
    input = {"customer": "bob", "quarter": "Q3", "copies": ["a@b.c"]}
    site.start("statement", input, "first", {"team": "billing"})
    site.ends("first", "SUCCEEDED")
    page = open_page(site, "#/executions/first")
    page.get_by_role("link", name="Run again…").click()
    expect(page.get_by_label("customer")).to_have_value("bob")
    expect(page.get_by_label("copies 1", exact=True)).to_have_value("a@b.c")
    page.get_by_label("customer").fill("carol")
    page.get_by_label("Execution id").fill("second")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="second")).to_be_visible()
    second = site.show("second")
    assert second["input"] == {**site.show("first")["input"], "customer": "carol"}
    assert second["labels"] == {"team": "billing"}


def test_running_again_takes_a_large_input_whole(site: Site, open_page: Callable[..., Page]) -> None:
    large = {"text": "z" * LARGE}
    site.start("echo", large, "heavy")
    site.ends("heavy", "SUCCEEDED")
    page = open_page(site, "#/executions/heavy")
    page.get_by_role("link", name="Run again…").click()
    page.get_by_label("Execution id").fill("heavy-2")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="heavy-2")).to_be_visible()
    assert site.show("heavy-2")["input"] == large

"""Sending a signal: its payload is checked against the type that is waited for, here and by the API."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.site import Site


def _dialog(page: Page) -> Locator:
    expect(page.get_by_role("button", name="signal approval")).to_be_visible()
    page.get_by_role("button", name="Send signal…").click()
    return page.get_by_role("dialog", name="Send a signal")


def test_a_form_made_of_the_type_that_is_waited_for(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("payment", 1200, "form")
    page = open_page(site, "#/executions/form")
    dialog = _dialog(page)
    expect(dialog.get_by_label("Name")).to_have_value("approval")
    expect(dialog.locator(".field-error")).to_have_count(0)  # nothing is wrong before anything is written
    dialog.get_by_label("approved").check()
    expect(dialog.get_by_text("is needed")).to_be_visible()
    dialog.get_by_label("by").fill("ann")
    expect(dialog.get_by_text("is needed")).to_have_count(0)
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_text("The signal approval was taken.")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    assert site.show("form")["result"] == "1200 by ann"


def test_json_is_checked_while_it_is_typed_and_the_api_has_the_last_word(
    site: Site, open_page: Callable[..., Page]
) -> None:
    site.start("payment", 1200, "json")
    page = open_page(site, "#/executions/json")
    dialog = _dialog(page)
    dialog.get_by_role("button", name="Edit as JSON").click()
    payload = dialog.get_by_label("Payload (JSON)")
    expect(payload).to_have_value('{\n  "approved": false,\n  "by": null\n}')
    dialog.get_by_text("Its type, as JSON Schema").click()
    expect(dialog.get_by_role("group", name="Schema of the payload")).to_contain_text('"minLength": 1')

    payload.fill("{")
    expect(dialog.get_by_role("button", name="Send")).to_be_disabled()
    payload.fill('{"approved": "perhaps"}')
    faults = dialog.get_by_role("list")
    expect(faults).to_contain_text("approved must be true or false")
    expect(faults).to_contain_text("by is needed")
    expect(payload).to_have_attribute("aria-invalid", "true")
    dialog.get_by_role("button", name="Send").click()
    refused = dialog.get_by_role("alert")
    expect(refused).to_contain_text("approved")
    expect(refused).to_contain_text("valid boolean")
    payload.fill('{"approved": true, "by": "ann"}')
    expect(dialog.locator(".field-errors")).to_have_count(0)
    dialog.get_by_role("button", name="Send").click()
    expect(dialog).to_have_count(0)
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    assert site.show("json")["result"] == "1200 by ann"


def test_a_signal_that_nobody_waits_for_is_any_json(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("payment", 1200, "other")
    page = open_page(site, "#/executions/other")
    dialog = _dialog(page)
    dialog.get_by_label("Name").fill("later")
    expect(dialog.get_by_text("One named later is kept until it is waited for.")).to_be_visible()
    expect(dialog.get_by_role("button", name="Edit as JSON")).to_have_count(0)
    dialog.get_by_label("Payload (JSON)").fill("[1, 2]")
    dialog.get_by_role("button", name="Send").click()
    expect(page.get_by_text("The signal later was taken.")).to_be_visible()

"""Starting by a form that the input's schema makes, or by JSON."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_a_form_made_from_the_schema_starts_an_execution(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/start")
    page.get_by_role("combobox", name="Workflow").select_option("statement")
    page.get_by_label("customer").fill("ann")
    page.get_by_label("quarter").select_option("Q4")
    page.get_by_label("urgent").check()
    page.get_by_role("button", name="Add to copies").click()
    page.get_by_label("copies 1", exact=True).fill("boss@example.com")
    expect(page.get_by_text("makes starting safe to repeat")).to_be_visible()
    page.get_by_label("Execution id").fill("ann-q4")
    page.get_by_role("button", name="Add a label").click()
    page.get_by_label("Label 1: name").fill("team")
    page.get_by_label("Label 1: value").fill("billing")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="ann-q4")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="SUCCEEDED")).to_be_visible()
    shown = site.show("ann-q4")
    assert shown["labels"] == {"team": "billing"}
    assert shown["input"] == {
        "customer": "ann",
        "quarter": "Q4",
        "year": 2026,
        "copies": ["boss@example.com"],
        "urgent": True,
        "note": None,
    }


def test_what_does_not_fit_is_told_at_its_field(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/start/statement")
    page.get_by_label("year").fill("soon")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_label("customer")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("customer")).to_be_focused()
    expect(page.get_by_text("must be a whole number")).to_be_visible()
    page.get_by_label("customer").fill("ann")
    page.get_by_label("year").fill("2025")
    # A rule that only the server knows of comes back to the same place.
    page.get_by_role("button", name="Add to copies").click()
    page.get_by_label("copies 1", exact=True).fill("x")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("needs at least 3 characters")).to_be_visible()


def test_the_servers_own_refusal_is_placed_at_the_field(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/start/payment")
    box = page.get_by_role("group", name="Input").get_by_role("textbox")
    box.fill("12")
    page.route(
        "**/v1/workflows/payment/executions",
        lambda route: route.fulfill(
            status=422,
            content_type="application/problem+json",
            body='{"type":"urn:stepfast:problem:invalid-request","title":"Invalid request","status":422,'
            '"detail":"no","errors":[{"field":"input","message":"is more than the account holds"}]}',
        ),
    )
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("is more than the account holds").first).to_be_visible()


def test_json_and_form_are_two_views_of_one_input(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(site, "#/start/statement")
    page.get_by_label("customer").fill("ann")
    page.get_by_role("button", name="Edit as JSON").click()
    text = page.get_by_label("Input as JSON")
    expect(text).to_have_value(
        '{\n  "quarter": "Q1",\n  "year": 2026,\n  "urgent": false,\n  "note": null,\n  "customer": "ann"\n}'
    )
    text.fill('{"customer": ')
    expect(page.get_by_role("button", name="Edit as form")).to_be_disabled()
    text.fill('{"customer": "bob", "year": 2020}')
    page.get_by_role("button", name="Edit as form").click()
    expect(page.get_by_label("customer")).to_have_value("bob")
    expect(page.get_by_label("year")).to_have_value("2020")


def test_an_id_that_is_taken_leads_to_its_execution(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("echo", 1, "taken")
    page = open_page(site, "#/start/statement")
    page.get_by_label("customer").fill("ann")
    page.get_by_label("Execution id").fill("taken")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("The id is taken.")
    page.get_by_role("link", name="See that execution").click()
    expect(page.get_by_role("heading", name="taken")).to_be_visible()

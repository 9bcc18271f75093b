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


def test_nested_listed_chosen_optional_dated_and_alternative_inputs_have_fields(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page(site, "#/start/booking")
    expect(page.get_by_label("arrival")).to_have_attribute("type", "date")
    page.get_by_label("arrival").fill("2026-12-24")
    page.get_by_label("paid_at").fill("2026-11-26T18:30:00Z")
    page.get_by_role("button", name="Add to rooms").click()
    first, second = (page.get_by_role("group", name=f"rooms {number}") for number in (1, 2))
    first.get_by_label("beds").fill("2")
    second.get_by_label("beds").fill("1")
    second.get_by_label("board").select_option("half")
    payment = page.get_by_role("group", name="payment")
    payment.get_by_label("Kind").select_option("Transfer")
    payment.get_by_label("iban").fill("DE02")
    # An optional model has no fields before they are asked for, and none again when it is left out.
    contact = page.get_by_role("group", name="contact")
    expect(contact.get_by_label("name")).to_have_count(0)
    contact.get_by_role("button", name="Fill in contact").click()
    contact.get_by_label("name").fill("ann")
    contact.get_by_label("born").fill("1990-02-03")
    agent = page.get_by_role("group", name="agent")
    agent.get_by_role("button", name="Fill in agent").click()
    agent.get_by_role("button", name="Leave out agent").click()
    reference = page.get_by_role("group", name="reference")
    reference.get_by_label("Kind").select_option("string")
    reference.get_by_label("reference").fill("a-1")
    page.get_by_label("Execution id").fill("booked")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("heading", name="booked")).to_be_visible()
    assert site.show("booked")["input"] == {
        "arrival": "2026-12-24",
        "paid_at": "2026-11-26T18:30:00Z",
        "rooms": [{"beds": 2, "board": "none"}, {"beds": 1, "board": "half"}],
        "payment": {"method": "transfer", "iban": "DE02"},
        "contact": {"name": "ann", "born": "1990-02-03"},
        "agent": None,
        "reference": "a-1",
    }


def test_what_is_wrong_and_has_no_field_of_its_own_is_said_at_the_button(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page(site, "#/start/booking")
    page.get_by_role("button", name="Edit as JSON").click()
    booking = '{"arrival": "2026-12-24", "rooms": [{"beds": 1}], "agent": null, "reference": 1, "payment": %s}'
    page.get_by_label("Input as JSON").fill(booking % '{"method": "card", "number": "1234"}')
    page.get_by_role("button", name="Edit as form").click()
    page.get_by_role("group", name="payment").get_by_label("method").select_option("–")
    page.get_by_role("button", name="Start", exact=True).click()
    # The schema leaves it out; only the server knows that it tells which of two types is meant.
    expect(page.get_by_text("discriminator")).to_be_visible()
    expect(page.get_by_role("heading", name="Start an execution")).to_be_visible()

"""Asking an execution and updating it, by the keyboard, on 400 pixels."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser.site import Site


def _dialog(page: Page) -> Locator:
    page.set_viewport_size({"width": 400, "height": 800})
    page.get_by_role("button", name="Ask or update…").focus()
    page.keyboard.press("Enter")
    return page.get_by_role("dialog", name="Ask or update")


def _press(page: Page, button: Locator) -> None:
    button.focus()
    page.keyboard.press("Enter")


def test_an_execution_is_asked_and_updated_by_the_keyboard(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("cart", 1, "cart-1")
    page = open_page(site, "#/executions/cart-1")
    dialog = _dialog(page)
    name = dialog.get_by_label("Name")
    expect(name).to_have_value("query held")
    expect(dialog.get_by_text("It takes no payload.")).to_be_visible()
    expect(dialog.get_by_role("textbox")).to_have_count(0)
    _press(page, dialog.get_by_role("button", name="Ask", exact=True))
    answer = dialog.get_by_role("status", name="Answer")
    expect(answer).to_have_text("[]")

    name.select_option("update add")
    payload = dialog.get_by_role("group", name="Payload", exact=True).get_by_role("textbox")
    payload.fill("tea")
    _press(page, dialog.get_by_role("button", name="Update"))
    expect(answer).to_have_text("1")
    payload.fill("cup")
    dialog.get_by_role("button", name="Update").click()
    expect(dialog.get_by_role("alert")).to_contain_text("the cart is full")
    name.select_option("query held")
    dialog.get_by_role("button", name="Ask", exact=True).click()
    expect(answer).to_contain_text("tea")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="update add")).to_be_visible()


def test_an_update_has_a_form_made_of_the_type_it_takes(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("cart", 1, "cart-2")
    page = open_page(site, "#/executions/cart-2")
    dialog = _dialog(page)
    name = dialog.get_by_label("Name")
    name.select_option("update wrap")
    expect(dialog.locator(".field-error")).to_have_count(0)  # nothing is wrong before anything is written
    dialog.get_by_label("ribbon").focus()
    page.keyboard.press("Space")
    expect(dialog.get_by_text("is needed")).to_be_visible()
    _press(page, dialog.get_by_role("button", name="Update"))
    expect(dialog.get_by_text("Field required")).to_be_visible()  # what the API says, at the field
    dialog.get_by_label("paper").focus()
    page.keyboard.type("silk")
    expect(dialog.locator(".field-error")).to_have_count(0)
    page.keyboard.press("Enter")
    answer = dialog.get_by_role("status", name="Answer")
    expect(answer).to_have_text('"0 in silk with a ribbon"')

    name.select_option("update add")  # each has a payload of its own
    name.select_option("update wrap")
    expect(dialog.get_by_label("paper")).to_have_value("silk")
    _press(page, dialog.get_by_role("button", name="Edit as JSON"))
    dialog.get_by_label("Payload (JSON)").fill('{"paper": "jute"}')
    dialog.get_by_text("Its type, as JSON Schema").click()
    expect(dialog.get_by_role("group", name="Schema of the payload")).to_contain_text('"minLength": 1')
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    _press(page, dialog.get_by_role("button", name="Update"))
    expect(answer).to_have_text('"0 in jute"')

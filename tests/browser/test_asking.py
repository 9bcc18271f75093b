"""Asking an execution and updating it, by the keyboard, on 400 pixels."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.site import Site


def test_an_execution_is_asked_and_updated_by_the_keyboard(site: Site, open_page: Callable[..., Page]) -> None:
    site.start("cart", 1, "cart-1")
    page = open_page(site, "#/executions/cart-1")
    page.set_viewport_size({"width": 400, "height": 800})
    page.get_by_role("button", name="Ask or update…").focus()
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Ask or update")
    name = dialog.get_by_label("Name")
    expect(name).to_have_value("query held")
    dialog.get_by_role("button", name="Ask", exact=True).focus()
    page.keyboard.press("Enter")
    answer = dialog.get_by_role("status", name="Answer")
    expect(answer).to_have_text("[]")

    name.select_option("update add")
    dialog.get_by_label("Payload (JSON)").fill('"tea"')
    dialog.get_by_role("button", name="Update").focus()
    page.keyboard.press("Enter")
    expect(answer).to_have_text("1")
    dialog.get_by_label("Payload (JSON)").fill('"cup"')
    dialog.get_by_role("button", name="Update").click()
    expect(dialog.get_by_role("alert")).to_contain_text("the cart is full")
    name.select_option("query held")
    dialog.get_by_role("button", name="Ask", exact=True).click()
    expect(dialog.get_by_role("alert")).to_be_visible()  # a query without an argument takes none
    dialog.get_by_label("Payload (JSON)").fill("null")
    dialog.get_by_role("button", name="Ask", exact=True).click()
    expect(answer).to_contain_text("tea")
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="update add")).to_be_visible()

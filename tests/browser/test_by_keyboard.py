"""Each thing an operator does, on 400 pixels and by the keyboard alone: Tab to the button, type, Enter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.site import Site
from tests.waiting import until

WHY = "by <hand>"
MOST_TABS = 80
FOCUSED = """() => {
  const one = document.activeElement;
  const label = one.labels && one.labels[0] ? one.labels[0].textContent : "";
  return (one.getAttribute("aria-label") || label || one.textContent || "").trim();
}"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("keyboard"))
    made.out("pdf")
    yield made
    made.close()


def tab_to(page: Page, name: str) -> None:
    """Presses Tab until what has this name, or a label that begins so, has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        if str(page.evaluate(FOCUSED)).startswith(name):
            box = page.evaluate("() => document.activeElement.getBoundingClientRect().toJSON()")
            assert 0 <= box["left"] < box["right"] <= 401, f"{name} is cut off: {box}"
            assert page.evaluate("() => document.activeElement.matches(':focus-visible')"), f"{name} shows no focus"
            return
    raise AssertionError(f"{MOST_TABS} times Tab do not lead to {name!r}")


def fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the screen"


@dataclass(frozen=True)
class Hand:
    """button: opens the dialog. before: brings the execution there. fills: fields to type into, by their labels.
    chooses: the letter that chooses in the select of this label. after: whether it is done, by the API."""

    button: str
    before: Callable[[Site, str], None]
    after: Callable[[Site, str], Any]
    fills: tuple[tuple[str, str], ...] = (("Why, for the history", WHY),)
    chooses: tuple[str, str] | None = None
    of: str = ""
    confirms: str = ""


def waits(site: Site, id: str) -> None:
    site.start("payment", 1, id)


def fails(site: Site, id: str) -> None:
    site.start("statement", {"customer": id}, id)
    site.ends(id, "FAILED")


def by_hand(action: str, before: Callable[[Site, str], None] = waits) -> Callable[[Site, str], None]:
    def act(site: Site, id: str) -> None:
        before(site, id)
        site.http.post(f"/v1/executions/{id}/{action}").raise_for_status()

    return act


def stands(status: str) -> Callable[[Site, str], bool]:
    def done(site: Site, id: str) -> bool:
        shown = site.show(id)
        return (shown["status"], (shown["intervention"] or {}).get("why")) == (status, WHY)

    return done


def is_gone(site: Site, id: str) -> bool:
    return site.http.get(f"/v1/executions/{id}").status_code == 404


def is_forked(site: Site, id: str) -> bool:
    listed = site.http.get("/v1/executions?workflow=statement&limit=100").json()["executions"]
    forks = [one for one in listed if (site.show(one["execution_id"])["forked_from"] or {}).get("execution_id") == id]
    return [site.show(one["execution_id"])["forked_from"]["why"] for one in forks] == [WHY]


def repaired(output: Any) -> Callable[[Site, str], bool]:
    def done(site: Site, id: str) -> bool:
        (shown,) = (one for one in site.show(id)["commands"] if one["id"] == "render")
        return (shown["status"], shown["output"]) == ("SUCCEEDED", output)

    return done


def has_other_input(site: Site, id: str) -> bool:
    (shown,) = (one for one in site.show(id)["commands"] if one["id"] == "render")
    return bool(shown["input"] == {"sales": 7, "costs": 5} and site.show(id)["resumes"] == 1)


REPAIR = ("Why, for the history", WHY)
HANDS = {
    "pause": Hand("Pause…", waits, stands("PAUSED")),
    "unpause": Hand("Unpause…", by_hand("pause"), stands("RUNNING")),
    "cancel": Hand("Cancel…", waits, stands("CANCELLED")),
    "terminate": Hand("Terminate…", waits, stands("CANCELLED")),
    "close": Hand("Close…", fails, stands("CLOSED")),
    "reopen": Hand("Reopen…", by_hand("close", fails), stands("FAILED")),
    "delete": Hand("Delete…", by_hand("terminate"), is_gone, (), confirms="Delete the execution"),
    "fork": Hand("Fork…", fails, is_forked),
    "repair": Hand(
        "Repair…", fails, repaired("by telephone"), (("The result, as JSON", '"by telephone"'), REPAIR), of="render"
    ),
    "repair-input": Hand(
        "Repair…", fails, has_other_input, (("The arguments", '{"sales": 7, "costs": 5}'), REPAIR),
        ("What to set", "t"), "render",
    ),
}  # fmt: skip


@pytest.mark.parametrize("hand", HANDS)
def test_an_intervention_needs_no_mouse_and_no_wide_screen(
    shared: Site, open_page: Callable[..., Page], hand: str
) -> None:
    what = HANDS[hand]
    what.before(shared, hand)
    at = f"#/executions/{hand}" + (f"?command={what.of}" if what.of else "")
    page = open_page(shared, at, width=400, height=760)
    expect(page.get_by_role("heading", name=hand, exact=True)).to_be_visible()
    tab_to(page, what.button)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    fits(page)
    if what.chooses:
        tab_to(page, what.chooses[0])
        page.keyboard.press(what.chooses[1])
    for label, text in what.fills:
        tab_to(page, label)
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(text)
    assert Axe().run(page).response["violations"] == []
    if what.confirms:
        tab_to(page, what.confirms)
    page.keyboard.press("Enter")
    until(lambda: what.after(shared, hand), 20, pause=0.05, what=hand)
    expect(page.get_by_role("dialog")).to_have_count(0)
    fits(page)


def test_a_refused_repair_says_why_and_escape_leaves_the_details_open(
    shared: Site, open_page: Callable[..., Page]
) -> None:
    fails(shared, "refused")
    page = open_page(shared, "#/executions/refused?command=render", width=400)
    page.get_by_role("button", name="Repair…").press("Enter")
    page.get_by_label("The result, as JSON").fill("7")
    page.get_by_role("button", name="Repair the step").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("string")
    page.get_by_label("The result, as JSON").fill("{")
    page.get_by_role("button", name="Repair the step").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    page.get_by_label("What to set").select_option("skip")
    page.get_by_role("button", name="Repair the step").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("may not be null")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("complementary", name="Details of render")).to_be_visible()
    assert shared.show("refused")["status"] == "FAILED"


def test_a_bulk_job_is_started_and_stopped_without_a_mouse(shared: Site, open_page: Callable[..., Page]) -> None:
    for number in range(6):
        shared.start("payment", number, f"bulk-{number}", {"bulk": "yes"})
    page = open_page(shared, "#/executions?label=bulk:yes", width=400, height=760)
    expect(page.get_by_role("row", name="bulk-5")).to_be_visible()
    tab_to(page, "Choose…")
    page.keyboard.press("Enter")
    tab_to(page, "Act on all that match…")
    page.keyboard.press("Enter")
    tab_to(page, "Action")
    page.keyboard.press("p")  # pause
    tab_to(page, "Executions per second")
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("0.4")
    tab_to(page, "Why, for the history")
    page.keyboard.insert_text(WHY)
    fits(page)
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Progress")).to_contain_text("done")
    tab_to(page, "Stop the job")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Progress").get_by_role("status")).to_have_text("STOPPED")
    fits(page)

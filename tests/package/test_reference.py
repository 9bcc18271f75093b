"""docs/reference is what the docstrings say now, and the docstrings of what is public say enough."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import griffe
import pytest

from tests.reference import checks
from tests.reference.pages import FOLDER, anchor, pages
from tests.reference.public import CONSTRUCTED, INTERNAL, PAGES
from tests.reference.surface import Public, Surface

CHECKS = (checks.without_docstring, checks.without_description, checks.without_error)


@pytest.fixture(scope="module")
def surface() -> Surface:
    return Surface()


@pytest.fixture(scope="module")
def written(surface: Surface) -> dict[str, str]:
    return pages(surface)


@pytest.mark.parametrize("file", [page.file for page in PAGES])
def test_a_page_is_what_the_docstrings_make(written: dict[str, str], file: str) -> None:
    assert (FOLDER / file).read_text(encoding="utf-8") == written[file], "run `make reference`"


def test_the_folder_holds_the_pages_and_a_list_of_them() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {page.file for page in PAGES} | {"README.md"}
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert f"[{page.title}]({page.file})" in text
        for module in page.modules:
            name = module.removeprefix("stepfast.functions") if module.startswith("stepfast.functions") else module
            assert f"`{name}`" in text or f"`{module}`" in text, module


def test_every_link_leads_to_a_heading() -> None:
    links = 0
    for page in FOLDER.glob("*.md"):
        for file, fragment in re.findall(r"\]\(([\w./-]*)(?:#([\w-]+))?\)", page.read_text(encoding="utf-8")):
            target = (FOLDER / file) if file else page
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert not fragment or fragment in map(anchor, headings), f"{page.name}: {file}#{fragment}"
            links += 1
    assert links > 100


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_every_public_docstring_says_enough(surface: Surface, check: Callable[[Public], Iterator[str]]) -> None:
    assert [f"{public.module}: {lack}" for public in surface.all() for lack in check(public)] == []


def test_every_class_in_a_public_signature_is_on_a_page(surface: Surface) -> None:
    assert sorted(set(checks.without_page(surface, surface.all()))) == []


def test_the_lists_name_what_there_is(surface: Surface) -> None:
    assert {public.name for public in surface.all() if isinstance(public.target, griffe.Class)} >= CONSTRUCTED
    for path in INTERNAL:
        assert surface.get(path).path == path


def public(folder: Path, source: str, name: str) -> Public:
    """The public name of a module with this source."""
    (folder / "shop.py").write_text(textwrap.dedent(source))
    target = griffe.load("shop", search_paths=[folder])[name]
    assert isinstance(target, griffe.Object)
    return Public(name, "shop", target)


@pytest.mark.parametrize(
    ("docstring", "lacks"),
    [
        ("", ["charge: no docstring", "charge: amount", "charge: ValueError"]),
        ("Charges an amount. Raises ValueError below zero.", ["charge: amount"]),
        ("Charges an `amount`.", ["charge: ValueError"]),
        ("Charges an `amount`. Raises ValueError below zero.", []),
        ("Charges.\n\n    amount: in cents.\n    Raises ValueError below zero.", []),
    ],
)
def test_a_docstring_that_lacks_something_is_noticed(tmp_path: Path, docstring: str, lacks: list[str]) -> None:
    source = f'''def charge(amount: int) -> None:
    """{docstring}"""
    if amount < 0:
        raise ValueError("below zero")
'''
    function = public(tmp_path, source, "charge")
    noticed = [f"{path}: no docstring" for path in checks.without_docstring(function)]
    noticed += [*checks.without_description(function), *checks.without_error(function)]
    assert noticed == lacks


def test_methods_and_the_errors_of_a_constructor_are_checked(tmp_path: Path) -> None:
    source = '''
        class Calls:
            def send(self) -> None: ...


        class Client(Calls):
            """A client of the API at `url`."""

            def __init__(self, url: str) -> None:
                if not url:
                    raise LookupError(url)

            def close(self, now: bool) -> None:
                """Closes it."""
                raise RuntimeError
        '''
    client = public(tmp_path, source, "Client")
    assert list(checks.without_docstring(client)) == ["Client.send"]
    assert list(checks.without_description(client)) == ["Client.close: now"]
    assert list(checks.without_error(client)) == ["Client: LookupError", "Client.close: RuntimeError"]

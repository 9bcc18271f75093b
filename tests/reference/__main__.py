"""`python -m tests.reference` writes the pages of docs/reference."""

from tests.reference.pages import FOLDER, pages
from tests.reference.surface import Surface

for file, text in pages(Surface()).items():
    (FOLDER / file).write_text(text, encoding="utf-8")
    print(f"docs/reference/{file}")

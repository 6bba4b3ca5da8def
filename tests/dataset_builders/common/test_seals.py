"""Pages that somebody has edited survive the output that replaces them."""

import pytest

from dataset_builders.common.outputs import OutputKind, output_folder
from dataset_builders.common.seals import is_sealed, sealed

KIND = OutputKind("`tea`", "--out", lambda folder: (folder / "README.md").is_file(), ("README.md",))


def write(place, text):
    with output_folder(place, KIND) as folder:
        (folder / "README.md").write_text(text, encoding="utf-8")


@pytest.fixture
def shop(tmp_path):
    write(tmp_path / "shop", sealed("# Tea"))
    return tmp_path / "shop"


def test_an_edited_page_is_kept_beside_its_folder(shop, caplog):
    page, kept = shop / "README.md", shop.with_name("shop.README.md")
    for text, copy in (("# My tea", kept), ("# My tea", kept), ("# Our tea", shop.with_name("shop.README-2.md"))):
        page.write_text(text, encoding="utf-8")
        caplog.clear()
        write(shop, sealed("# Tea, again"))
        assert is_sealed(page.read_text(encoding="utf-8"))
        assert copy.read_text(encoding="utf-8") == text
        assert f"its text is kept in {copy}" in caplog.text
    assert sorted(path.name for path in shop.parent.iterdir()) == ["shop", "shop.README-2.md", "shop.README.md"]


def test_a_page_as_it_was_written_is_replaced(shop):
    write(shop, sealed("# Tea, again"))
    assert [path.name for path in shop.parent.iterdir()] == ["shop"]


def test_pages_without_seals_say_nothing_about_each_other(shop):
    write(shop, "# Tea")
    write(shop, "# Tea, again")
    assert [path.name for path in shop.parent.iterdir()] == ["shop"]


def test_the_edited_page_stays_where_the_new_output_cannot_be_put(shop):
    (shop / "README.md").write_text("# My tea", encoding="utf-8")
    with pytest.raises(Exception, match=r"shop: holds notes.txt, not written by `tea`"):
        write_beside_notes(shop)
    assert (shop / "README.md").read_text(encoding="utf-8") == "# My tea"


def write_beside_notes(shop):
    with output_folder(shop, KIND) as folder:
        (folder / "README.md").write_text(sealed("# Tea"), encoding="utf-8")
        (shop / "notes.txt").write_text("boil", encoding="utf-8")

"""Own data in xlsx, xls and ods workbooks, and lists in the cells of a table."""

import base64
import datetime
import gzip
import io
import json
import random
import sys
import zipfile

import pyarrow as pa
import pytest
from pyarrow import parquet

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers.inputs import find_all
from dataset_builders.own_data.containers.rows import open_rows
from dataset_builders.own_data.containers.text_encoding import detect_encoding


def cell_xml(place, value):
    if isinstance(value, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{value}</t></is></c>'
    if isinstance(value, bool):
        return f'<c r="{place}" t="b"><v>{int(value)}</v></c>'
    if isinstance(value, datetime.datetime):
        days = (value - datetime.datetime(1899, 12, 30)) / datetime.timedelta(days=1)
        return f'<c r="{place}" s="1"><v>{days}</v></c>'
    return f'<c r="{place}"><v>{value}</v></c>'


def xlsx(sheets, merged=()):
    """A workbook: the name of each sheet with its cells by row number and column; ranges merged in all sheets."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    numbers = range(1, len(sheets) + 1)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="r0" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        + "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in zip(numbers, sheets, strict=True))
        + "</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        + "".join(f'<Relationship Id="r{i}" Type="{office}/worksheet" Target="worksheets/{i}.xml"/>' for i in numbers)
        + f'<Relationship Id="s" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
    }
    for number, rows in zip(numbers, sheets.values(), strict=True):
        lines = (
            f'<row r="{row}">{"".join(cell_xml(f"{column}{row}", value) for column, value in cells.items())}</row>'
            for row, cells in rows.items()
        )
        ranges = "".join(f'<mergeCell ref="{place}"/>' for place in merged)
        last = "".join(f"{max(cells)}{row}" for row, cells in [*rows.items()][-1:]) or "A1"
        parts[f"xl/worksheets/{number}.xml"] = (
            f'<worksheet xmlns="{main}"><dimension ref="A1:{last}"/><sheetData>{"".join(lines)}</sheetData><mergeCells>{ranges}</mergeCells></worksheet>'
        )
    return zipped(parts)


def zipped(parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def ods(rows):
    namespace = "urn:oasis:names:tc:opendocument:xmlns"
    cells = (
        "".join(f'<table:table-cell office:value-type="string"><text:p>{c}</text:p></table:table-cell>' for c in row)
        for row in rows
    )
    lines = "".join(f"<table:table-row>{row}</table:table-row>" for row in cells)
    content = (
        f'<office:document-content xmlns:office="{namespace}:office:1.0" xmlns:table="{namespace}:table:1.0" '
        f'xmlns:text="{namespace}:text:1.0"><office:body><office:spreadsheet><table:table table:name="S">{lines}'
        "</table:table></office:spreadsheet></office:body></office:document-content>"
    )
    manifest = f'<manifest:manifest xmlns:manifest="{namespace}:manifest:1.0"/>'
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    return zipped({"mimetype": kind, "META-INF/manifest.xml": manifest, "content.xml": content})


BOOK = xlsx(
    {
        "train": {
            1: {"B": "Questions of 2026"},
            3: {"B": "question", "C": "answer", "E": "question"},
            4: {"B": "Где чай?", "C": 7.0, "D": 1.5, "E": True},
            6: {"B": "When?", "C": datetime.datetime(2026, 1, 2, 3, 4, 5)},
        },
        "Notes": {1: {"A": "one column only"}, 2: {"A": "x"}},
        "Empty": {},
        "test 1": {1: {"A": "q", "B": "a"}, 2: {"A": " ", "B": "only an answer"}, 3: {"A": "  "}},
    }
)


@pytest.mark.parametrize("packed", ["", ".gz", ".zip"])
def test_each_sheet_of_a_workbook_is_a_table(tmp_path, packed):
    content = {"": BOOK, ".gz": gzip.compress(BOOK), ".zip": zipped({"faq.xlsx": BOOK})}[packed]
    path = tmp_path / f"faq.xlsx{packed}"
    path.write_bytes(content)
    name = f"{path.name}/faq.xlsx" if packed == ".zip" else path.name
    assert [file.name for file in find_all(tmp_path).data] == [f"{name}/test 1", f"{name}/train"]
    test, train = (open_rows(file) for file in find_all(path).data)
    assert train.columns == ("question", "answer", "column D", "question (2)")
    assert list(train.read()) == [
        (4, {"question": "Где чай?", "answer": 7, "column D": 1.5, "question (2)": True}),
        (6, {"question": "When?", "answer": "2026-01-02T03:04:05", "column D": None, "question (2)": None}),
    ]
    assert list(test.read()) == [(2, {"q": None, "a": "only an answer"})]


# a workbook with one sheet in the format before 2007, written by xlwt
XLS = (
    b"H4sIAAAAAAACA+1YTWgTQRT+ZjNJk9KmaZsKbTGEglVrEVsVqtJsUtCcLNGLIoKmNgdpSSV40YNWa46C4EnxUujFS9WLP+hBbx6Eih4EQUj06E"
    b"lQUGizvveyW1LtoYFaVOZb5ps3783b+Z/Z2dcLraXZB11l/IIEfKg4IQRqdIpCyEtEQHbHYdGLgxQcg38KoSANZMCPp82vGngMebzLsHBfvyAG"
    b"PlI4iXMYncrn4huIEalDVnEdhokV7pAmjE6pVZvwGeF24XuS85lwUjTXhYcpb0mdwII92jfkzuLjVo/YwuD3PhKf96IZQAde8iy+fENV8/qRKp"
    b"zNTv6dhphuwhxo3NK5fK6QnSwhSgM4h29OHPjqrdTncaPfWL0C6b+v1Desor9paWAazmmZ4EWaqj98bPGrbj2kU3pED2ARGRpuSAhADeqEtnWS"
    b"OKX9UAnKM6j3EtPMyAeh2vUeSsaR1rv0Pm3Tfq02kxiHTS4H9H4y7kQjb+Sy8CMrFn6zLIgm4nG0iNwqyyJCW/vi3S9vDo9l7FOimZbNvnokbO"
    b"FWwMEV9iDnsFgsYW5On8g7hK/KW7tF7hKOUsso7s10uMKhGclzTay9VM5uwVt7a428jeTi5yOPY8VP9naS59Pli9H5d/YseqjJ4+TPzwz6Vb+6"
    b"fYvxxPZi5W4fH4Q7f9tKglbErbvjnnstWJI+A/UHo5ri3lHLKcvtK/ZWq3gr8fa5+ZV4c79dsjjF3jE+dq02PJSuS9YcvI0wMDAwMDAwMDAwWB"
    b"co91OdP0z18jUDfKmU/zpLFCrmN8l/i6OYouc8XUwPIk9xARfqmj+b6LLqvUut0cf7X8g4RqUXMIExqcdE3fOXrnKqtj1rdoys3xKqt/xKPfX8"
    b"w+X/BCiL/rcAFgAA"
)


def test_old_workbooks(tmp_path):
    (tmp_path / "a.xls").write_bytes(gzip.decompress(base64.b64decode(XLS)))
    (file,) = find_all(tmp_path).data
    assert (file.name, open_rows(file).columns) == ("a.xls/Лист1", ("вопрос", "ответ", "n"))
    assert list(open_rows(file).read()) == [(2, {"вопрос": "Где чай?", "ответ": "На полке.", "n": 7})]


def test_a_stray_cell_far_away_does_not_end_the_process(tmp_path):
    book = xlsx({"S": {1: {"A": "q", "B": "a"}, 2: {"A": "x"}, 1_048_576: {"XFD": "stray"}}})
    (tmp_path / "a.xlsx").write_bytes(book)
    with pytest.raises(DataError, match=r"a\.xlsx: a sheet reaches to cell XFD1048576; delete the cells far away"):
        find_all(tmp_path / "a.xlsx")


def test_damaged_workbooks_never_end_in_a_traceback(tmp_path):
    rng = random.Random(2)
    content = gzip.decompress(base64.b64decode(XLS))
    for i in range(60):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(8, len(damaged))] = rng.randrange(256)
        (tmp_path / f"{i}.xls").write_bytes(damaged)
        try:
            list(open_rows(find_all(tmp_path / f"{i}.xls").data[0]).read())
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_merged_cells(tmp_path):
    rows = {
        1: {"A": "dialogue", "B": "speaker", "C": "text"},
        2: {"A": "Monday"},
        3: {"A": 1, "B": "user", "C": "Hi"},
        4: {"B": "bot", "C": "Hello"},
        6: {"B": "user", "C": "Bye"},
        7: {"B": "user", "C": "alone"},
    }
    (tmp_path / "a.xlsx").write_bytes(xlsx({"S": rows}, merged=["A2:C2", "A3:A6"]))
    (file,) = find_all(tmp_path).data
    assert [(number, *row.values()) for number, row in open_rows(file).read()] == [
        (3, 1, "user", "Hi"),
        (4, 1, "bot", "Hello"),
        (6, 1, "user", "Bye"),
        (7, None, "user", "alone"),
    ]


def test_open_document_spreadsheets(tmp_path):
    (tmp_path / "a.ods").write_bytes(ods([["вопрос", "ответ"], ["Где?", "Тут"]]))
    (file,) = find_all(tmp_path).data
    assert (file.name, list(open_rows(file).read())) == ("a.ods/S", [(2, {"вопрос": "Где?", "ответ": "Тут"})])


def test_office_documents_that_are_no_tables(tmp_path, monkeypatch):
    for name, content in {
        "letter.docx": zipped({"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"}),
        "old.xls": b"\xd0\xcf\x11\xe0" + bytes(600),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: an office document; save it as CSV, or as plain text"):
            find_all(tmp_path / name)
    # Office encrypts a workbook as a stream of this name in the container of its old formats
    (tmp_path / "locked.xlsx").write_bytes(b"\xd0\xcf\x11\xe0" + bytes(600) + "EncryptedPackage".encode("utf-16-le"))
    with pytest.raises(DataError, match=r"locked\.xlsx: is protected by a password; save it without one"):
        find_all(tmp_path / "locked.xlsx")
    (tmp_path / "good.xlsx").write_bytes(BOOK)
    (tmp_path / "empty.xlsx").write_bytes(xlsx({"S": {1: {"A": "q", "B": "a"}}}))
    assert {entry.file: entry.reason.split(" (")[0] for entry in find_all(tmp_path, skip_bad=True).skipped} == {
        "empty.xlsx": "a workbook without a table",
        "letter.docx": "a document; save it as CSV, or as plain text",
        "locked.xlsx": "is protected by a password; save it without one",
        "old.xls": "an office document; save it as CSV, or as plain text",
    }
    monkeypatch.setitem(sys.modules, "python_calamine", None)
    with pytest.raises(DataError, match=r"good\.xlsx: reading spreadsheets needs python-calamine; run: pip install"):
        find_all(tmp_path / "good.xlsx")


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"SQLite format 3\0", "is a SQLite database; write its table of conversations to CSV"),
        (b"\x80\x04\x95\x10", "is a Python pickle, which could run code"),
        (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive, unpack it first"),
    ],
)
def test_binary_files_are_named(tmp_path, head, reason):
    (tmp_path / "a.csv").write_bytes(head + bytes(100))
    with pytest.raises(DataError, match=f"a.csv: {reason}"):
        detect_encoding(find_all(tmp_path).data[0])


TURNS = [{"role": "user", "content": "Где чай?"}, {"role": "assistant", "content": "На полке."}]
NUMPY = "[{'role': 'user', 'content': 'It\\'s\\n[late]'}\n {'role': 'bot', 'content': \"I'm }\\n {\"}]"


def test_lists_in_the_cells_of_a_table(tmp_path):
    lists = [json.dumps(TURNS), str(TURNS), NUMPY, "[1, 2", "[laughs] hi [waves]", "[a] + [b]", None]
    parquet.write_table(pa.table({"messages": lists, "note": [str(TURNS)] * len(lists)}), tmp_path / "a.parquet")
    (tmp_path / "b.xlsx").write_bytes(xlsx({"S": {1: {"A": "dialog", "B": "id"}, 2: {"A": str(TURNS), "B": 1}}}))
    columnar, sheet = (open_rows(file) for file in find_all(tmp_path).data)
    numpy = [{"role": "user", "content": "It's\n[late]"}, {"role": "bot", "content": "I'm }\n {"}]
    assert [row["messages"] for _, row in columnar.read()] == [TURNS, TURNS, numpy, *lists[3:]]
    assert {row["note"] for _, row in columnar.read()} == {str(TURNS)}
    assert [row["dialog"] for _, row in sheet.read()] == [TURNS]

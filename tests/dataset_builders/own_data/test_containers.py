"""What own data comes in: compressed files, archives, columnar files, spreadsheets, datasets on the Hub."""

import base64
import bz2
import datetime
import decimal
import gzip
import io
import json
import lzma
import multiprocessing
import random
import sys
import tarfile
import zipfile

import datasets
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from dataset_builders.common.errors import DataError
from dataset_builders.own_data.containers import archives
from dataset_builders.own_data.containers.inputs import extension, find_all, open_bytes
from dataset_builders.own_data.containers.rows import open_rows
from dataset_builders.own_data.containers.text_encoding import detect_encoding

TEXT = "Где чай?\nНа полке.\n".encode() * 500


def zstd(data):
    return pa.compress(data, codec="zstd", asbytes=True)


def lz4(data):
    return pa.compress(data, codec="lz4", asbytes=True)


PACKED = {
    "gz": gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]),
    "bz2": bz2.compress(TEXT[:100]) + bz2.compress(TEXT[100:]),
    "xz": lzma.compress(TEXT[:100]) + lzma.compress(TEXT[100:]),
    "zst": zstd(TEXT[:100]) + b"\x52\x2a\x4d\x18\x04\0\0\0skip" + zstd(TEXT[100:]),
    "zst-skip-first": b"\x52\x2a\x4d\x18\x04\0\0\0skip" + zstd(TEXT),
    "lz4": lz4(TEXT),
}


def tar(folder, name, members, mode="w"):
    """Write a tar archive and return its path; a `str` as content makes a link to that name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for member, content in members.items():
            info = tarfile.TarInfo(member)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    path = folder / name
    path.write_bytes(zstd(buffer.getvalue()) if name.endswith(".zst") else buffer.getvalue())
    return path


def contents(path, **options):
    found = find_all(path, **options)
    return {file.name: open_bytes(file).read() for file in found.data}


def reasons(path, **options):
    return {entry.file: entry.reason for entry in find_all(path, **options).skipped}


@pytest.mark.parametrize("name", PACKED)
def test_compressed_files_are_recognised_by_content(tmp_path, name):
    (tmp_path / "a.txt").write_bytes(PACKED[name])  # a browser has unpacked its name, but not its content
    assert contents(tmp_path / "a.txt") == {"a.txt": TEXT}


@pytest.mark.parametrize("suffix", ["", ".gz", ".bz2", ".xz", ".zst", ".lz4"])
def test_the_extension_is_that_of_the_unpacked_file(suffix):
    assert extension(f"faq.JSONL{suffix.upper()}") == ".jsonl"


@pytest.mark.parametrize("name", PACKED)
def test_a_compressed_file_that_is_cut_off(tmp_path, name):
    (tmp_path / "a.txt").write_bytes(PACKED[name][:-40])
    (tmp_path / "b.txt").write_bytes(TEXT)
    assert list(contents(tmp_path, skip_bad=True)) == ["b.txt"]
    assert reasons(tmp_path, skip_bad=True)["a.txt"].startswith("cannot be read (")


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a.tar", "w"),
        ("a.tar.gz", "w:gz"),
        ("a.tgz", "w:gz"),
        ("a.tar.bz2", "w:bz2"),
        ("a.tar.xz", "w:xz"),
        ("a.tar.zst", "w"),
    ],
)
def test_members_of_tar_archives(tmp_path, name, mode):
    members = {
        "./train/a.json": b"[1]",
        "test/b.jsonl.gz": gzip.compress(b"{}"),
        "test/c.json": "b.jsonl.gz",
        "empty.csv": b"",
        ".hidden/x.json": b"[]",
        "__MACOSX/x.json": b"[]",
        "chart.png": b"\x89PNG",
    }
    path = tar(tmp_path, name, members, mode)
    assert contents(path) == {
        f"{name}/train/a.json": b"[1]",
        f"{name}/test/b.jsonl.gz": b"{}",
        f"{name}/test/c.json": b"{}",
    }
    assert reasons(path) == {
        f"{name}/empty.csv": "is empty",
        f"{name}/chart.png": reasons(path)[f"{name}/chart.png"],
    }
    assert contents(tmp_path) == contents(path)


def test_a_compressed_archive_is_unpacked_once(tmp_path, monkeypatch):
    path = tar(tmp_path, "a.tar.xz", {f"{i}.txt": b"%d" % i for i in range(300)}, "w:xz")
    unpacked = []
    real = archives.decompressed
    monkeypatch.setattr(archives, "decompressed", lambda stream: unpacked.append(1) or real(stream))
    assert contents(path) == {f"a.tar.xz/{i}.txt": b"%d" % i for i in range(300)}
    assert len(unpacked) == 1


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork")
@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_forked_processes_read_members_at_the_same_time(tmp_path, kind):
    members = {f"{i}.txt": (b"%d\n" % i) * 20_000 for i in range(40)}
    path = tmp_path / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
    else:
        tar(tmp_path, path.name, members, "w:gz")
    files = find_all(path).data
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(_content, files) == [members[file.members[0]] for file in files]


def _content(file):
    return open_bytes(file).read()


def test_a_member_that_replaces_an_earlier_one(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for content in (b"old", b"new"):
            info = tarfile.TarInfo("a.txt")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    assert contents(tmp_path) == {"a.tar/a.txt": b"new"}


def test_names_in_zip_archives_of_other_systems(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("train\\", "")
        archive.writestr("train\\a.json", "[1]")
        archive.writestr("чат.json", "[2]")
    data = (tmp_path / "a.zip").read_bytes()
    data = data.replace(b"\0\x08\0\0", b"\0\0\0\0", 1).replace(
        b"\0\x08\0\0", b"\0\0\0\0", 1
    )  # names without a flag for UTF-8
    (tmp_path / "a.zip").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert "чат.json" not in archive.namelist()
    assert contents(tmp_path / "a.zip") == {"a.zip/train/a.json": b"[1]", "a.zip/чат.json": b"[2]"}


def test_archives_within_archives_are_skipped_by_name(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.json", "[]")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
        archive.writestr("inner.tar.gz", tar(tmp_path, "x", {"a": b"b"}, "w:gz").read_bytes())
        archive.writestr("b.json", "[]")
    (tmp_path / "x").unlink()
    assert list(contents(tmp_path / "a.zip")) == ["a.zip/b.json"]
    assert reasons(tmp_path) == dict.fromkeys(
        ["a.zip/inner.tar.gz", "a.zip/inner.zip"], "an archive within an archive; unpack it"
    )
    with zipfile.ZipFile(tmp_path / "only.zip", "w") as archive:
        archive.writestr("inner.zip", inner.getvalue())
    with pytest.raises(
        DataError, match=r"no data file in it; it holds only\.zip/inner\.zip: an archive within an archive"
    ):
        find_all(tmp_path / "only.zip")


def locked_zip(path):
    """A zip archive whose member a.json says that it is encrypted; the content does not matter."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", "[]")
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)


def test_one_unreadable_file_does_not_stop_a_folder(tmp_path):
    (tmp_path / "good.json").write_text("[]")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(TEXT, mtime=0)[:40])
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 cut off")
    (tmp_path / "bad.tar.gz").write_bytes(tar(tmp_path, "x", {"a.txt": TEXT}, "w:gz").read_bytes()[:90])
    (tmp_path / "x").unlink()
    locked_zip(tmp_path / "locked.zip")
    with zipfile.ZipFile(tmp_path / "crc.zip", "w") as archive:
        archive.writestr("a.json", "[1, 2, 3]")
    (tmp_path / "crc.zip").write_bytes((tmp_path / "crc.zip").read_bytes().replace(b"[1, 2", b"[1; 2"))
    with pytest.raises(DataError, match=r"bad\.tar\.gz: .*"):
        find_all(tmp_path)
    files = find_all(tmp_path, skip_bad=True)
    assert [file.name for file in files.data] == ["good.json"]
    assert {entry.file: entry.reason.split(" (")[0] for entry in files.skipped} == {
        "bad.tar.gz": "cannot be read",
        "bad.zip": "a damaged zip archive",
        "crc.zip/a.json": "cannot be read",
        "cut.jsonl.gz": "cannot be read",
        "locked.zip/a.json": "is protected by a password; unpack it, or pack it without one",
    }
    with pytest.raises(DataError, match=r"locked\.zip:a\.json: is protected by a password; unpack it"):
        find_all(tmp_path / "locked.zip")


def test_files_beside_the_data_are_skipped_with_the_reason(tmp_path):
    names = [
        *("slack/channels.json", "slack/users.json", "slack/general/2026-01-01.json", "users.json", "state.json"),
        *("agent/agent.json", "agent/package.json", "agent/intents/Hi.json", "agent/entities/city.json", "config.yml"),
        *("saved/train/data-00000-of-00001.arrow", "saved/train/cache-12ab.arrow", "saved/train/state.json"),
        *("README.md", "notice_board.csv", "notes.md", "uv.lock", "chart.png", "guide.docx", "page.html", "Makefile"),
        *("nlu/train/seq.in", "nlu/train/label", "nlu/train/seq.out", "cooking.train", "Inbox"),
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"From ann@example.org" if name == "Inbox" else b"x")
    files = find_all(tmp_path)
    assert [file.name for file in files.data] == [
        *("Inbox", "agent/intents/Hi.json", "config.yml", "cooking.train", "nlu/train/label", "nlu/train/seq.in"),
        *("notes.md", "notice_board.csv", "saved/train/data-00000-of-00001.arrow", "slack/general/2026-01-01.json"),
        *("state.json", "users.json"),
    ]
    assert [file.name for file in files.others] == sorted(set(names) - {file.name for file in files.data})
    skipped = {entry.file: entry.reason for entry in files.skipped}
    assert skipped["slack/users.json"] == "a list of a Slack export, not messages"
    assert skipped["agent/entities/city.json"] == "entities of a Dialogflow agent"
    assert skipped["saved/train/cache-12ab.arrow"] == "a cache of the library `datasets`"
    assert skipped["page.html"] == "a web page; export as JSON or text instead"
    assert [file.name for file in find_all(tmp_path / "README.md").data] == ["README.md"]  # named by the user


TURNS = [{"role": "user", "content": "Где чай?"}, {"role": "assistant", "content": "На полке."}]
TABLE = pa.table(
    {
        "id": pa.array([1, 2, None]),
        "conversation": pa.array([TURNS, [], None]),
        "at": pa.array([datetime.datetime(2026, 1, 2, 3, 4, 5, 600_000), None, None], pa.timestamp("us", "UTC")),
        "day": pa.array([datetime.date(2026, 1, 2), None, None]),
        "price": pa.array([decimal.Decimal("1.50"), decimal.Decimal("7.00"), None], pa.decimal128(5, 2)),
        "score": pa.array([0.5, float("nan"), None]),
        "kind": pa.array(["a", "a", None]).dictionary_encode(),
        "tags": pa.array([[("x", 1)], [], None], pa.map_(pa.string(), pa.int32())),
        "raw": pa.array(['{"x": [1]}', "[", None], pa.json_()),
        "image": pa.array([{"bytes": b"\x89PNG", "path": "a.png"}, None, None]),
        "photos": pa.array([[b"\xff\xd8"], None, None]),
    }
)
ROWS = [
    {
        **{"id": 1, "conversation": TURNS, "at": "2026-01-02T03:04:05.600000+00:00", "day": "2026-01-02", "price": 1.5},
        **{"score": 0.5, "kind": "a", "tags": {"x": 1}, "raw": {"x": [1]}, "image": {"bytes": None, "path": "a.png"}},
        "photos": [None],
    },
    {
        **{"id": 2, "conversation": [], "at": None, "day": None, "price": 7, "score": None, "kind": "a", "tags": {}},
        **{"raw": "[", "image": None, "photos": None},
    },
    dict.fromkeys(TABLE.column_names),
]


def ipc(path, open_writer, table=TABLE):
    with open_writer(str(path), table.schema) as writer:
        writer.write_table(table)


COLUMNAR = {
    "a.parquet": lambda path: parquet.write_table(TABLE, path, row_group_size=1),
    "a.feather": lambda path: feather.write_feather(TABLE, path, chunksize=1),
    "a.arrow": lambda path: ipc(path, pa.ipc.new_file),
    "stream.arrow": lambda path: ipc(path, pa.ipc.new_stream),
}


@pytest.mark.parametrize("name", COLUMNAR)
@pytest.mark.parametrize("packed", ["", ".zst", ".zip", ".tar.gz"])
def test_rows_of_columnar_files(tmp_path, name, packed):
    path = tmp_path / name
    COLUMNAR[name](path)
    content = path.read_bytes()
    if packed == ".zst":
        path.write_bytes(zstd(content))
    elif packed == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, content)
    elif packed:
        tar(tmp_path, name, {name: content}, "w:gz")
    (file,) = find_all(path).data
    rows = open_rows(file)
    assert rows.columns == tuple(TABLE.column_names)
    assert rows.notes == ("bytes are not read: image, photos",)
    assert list(rows.read()) == list(enumerate(ROWS, start=1)) == list(rows.read())


def test_folders_saved_by_datasets(tmp_path, monkeypatch):
    rows = datasets.Dataset.from_list([{"conversation": TURNS, "n": i} for i in range(5)])
    splits = datasets.DatasetDict(train=rows.select([4, 2, 0]), test=rows.select([1]))
    splits.save_to_disk(tmp_path / "saved", num_shards={"train": 2, "test": 1})
    found = find_all(tmp_path / "saved")
    assert {file.name: [row["n"] for _, row in open_rows(file).read()] for file in found.data} == {
        "test/data-00000-of-00001.arrow": [1],
        "train/data-00000-of-00002.arrow": [4, 2],
        "train/data-00001-of-00002.arrow": [0],
    }
    assert {entry.reason for entry in found.skipped} == {"describes a dataset of the library `datasets`"}
    assert [row["conversation"] for _, row in open_rows(found.data[0]).read()] == [TURNS]


def test_turns_stored_as_a_list_for_each_field(tmp_path):
    columns = {
        "conversations": [{"from": ["human", "gpt"], "value": ["Hi", "Hello"]}, {"from": ["human"], "value": []}, None],
        "log": [{"speaker": ["a", "b"], "acts": [{"act": ["x"], "slot": ["y"]}, None], "n": [1, 2]}, None, None],
        "answers": [{"text": ["a", "b"], "answer_start": [1, 2]}, None, None],
    }
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    (file,) = find_all(tmp_path).data
    rows = [row for _, row in open_rows(file).read()]
    assert rows[0] == {
        "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}],
        "log": [
            {"speaker": "a", "acts": {"act": ["x"], "slot": ["y"]}, "n": 1},
            {"speaker": "b", "acts": None, "n": 2},
        ],
        "answers": {"text": ["a", "b"], "answer_start": [1, 2]},
    }
    assert rows[1]["conversations"] == {"from": ["human"], "value": []}  # the lists do not belong together


def test_classes_of_datasets_have_their_names(tmp_path):
    who = datasets.ClassLabel(names=["user", "agent"])
    features = datasets.Features(
        {
            "label": datasets.ClassLabel(names=["order", "refund"]),
            "tags": datasets.List(datasets.ClassLabel(names=["a", "b"])),
            "turns": datasets.List({"who": who, "text": datasets.Value("string")}),
            "log": {"who": datasets.List(who), "text": datasets.List(datasets.Value("string"))},
            "n": datasets.Value("int64"),
        }
    )
    row = {
        **{"label": 1, "tags": [0, 1], "n": 1, "turns": [{"who": 1, "text": "Hi"}]},
        "log": {"who": [0], "text": ["Hello"]},
    }
    rows = datasets.Dataset.from_list([row, {**row, "label": -1, "tags": None}], features=features)
    rows.to_parquet(tmp_path / "a.parquet")
    # older versions of `datasets` describe such a list of objects otherwise than they store it
    metadata = json.loads(rows.data.schema.metadata[b"huggingface"])
    log = metadata["info"]["features"]["log"]
    metadata["info"]["features"]["log"] = {"_type": "Sequence", "feature": {key: log[key]["feature"] for key in log}}
    table = rows.data.table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    parquet.write_table(table, tmp_path / "b.parquet")
    for file in find_all(tmp_path).data:
        first, second = (row for _, row in open_rows(file).read())
        assert first == {
            **{"label": "refund", "tags": ["a", "b"], "n": 1, "turns": [{"who": "agent", "text": "Hi"}]},
            "log": [{"who": "user", "text": "Hello"}],
        }
        assert (second["label"], second["tags"]) == (None, None)


@pytest.mark.parametrize("name", COLUMNAR)
def test_damaged_columnar_files(tmp_path, name):
    COLUMNAR[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    for damaged in (
        content[:-20],
        content[:9],
        content[: len(content) // 2] + bytes(200) + content[len(content) // 2 :],
    ):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(DataError, match=r"cannot be read \(.*\); it is damaged or protected$") as caught:
            list(open_rows(find_all(tmp_path / name).data[0]).read())
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", COLUMNAR)
def test_damaged_columnar_files_never_end_in_a_traceback(tmp_path, name):
    rng = random.Random(name)
    COLUMNAR[name](tmp_path / name)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    for i in range(40):
        damaged = bytearray(content)
        for _ in range(rng.randint(1, 8)):
            damaged[rng.randrange(8, len(damaged))] = rng.randrange(256)
        path = tmp_path / f"{i}.x"
        path.write_bytes(damaged)
        try:
            list(open_rows(find_all(path).data[0]).read())
        except DataError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_text_is_no_columnar_file(tmp_path):
    (tmp_path / "a.csv").write_text("PAR1,ARROW1\n1,2\n")
    assert open_rows(find_all(tmp_path / "a.csv").data[0]) is None


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

"""Quirks of the three sources that may not be redistributed, on invented files in the original format."""

import io
import json
import zipfile

FRAMES = {
    "user_id": "U1",
    "wizard_id": "W1",
    "id": "00000000-0000-4000-8000-000000000001",
    "labels": {"userSurveyRating": 4.5, "wizardSurveyTaskSuccessful": True},
    "turns": [
        {
            "author": "user",
            "text": " Any quiet week\nin Porto? ",
            "timestamp": 1480000000000.0,
            "labels": {
                "active_frame": 1,
                "acts": [
                    {"name": "inform", "args": [{"key": "dst_city", "val": "Porto"}, {"key": "flex", "val": True}]},
                    {"name": "request", "args": [{"key": "price"}]},
                    {
                        "name": "inform",
                        "args": [
                            {
                                "key": "ref",
                                "val": [{"frame": 1, "annotations": [{"key": "city", "val": "Porto"}, {"key": "x"}]}],
                            }
                        ],
                    },
                    {"name": "thankyou", "args": []},
                ],
                "acts_without_refs": [],
                "frames": [
                    {"frame_id": 2, "info": {"dst_city": [{"val": "Rome", "negated": False}]}},
                    {
                        "frame_id": 1,
                        "info": {"dst_city": [{"val": "Porto", "negated": False}], "flex": [{"val": None}]},
                    },
                ],
            },
        },
        {
            "author": "wizard",
            "text": "Yes, from 400 a head.",
            "timestamp": 1480000060000,
            "db": {"search": [], "result": []},
            "labels": {"acts": [], "active_frame": 1, "frames": []},
        },
    ],
}


def test_frames_in_its_archive(parse, tmp_path):
    archive = tmp_path / "raw" / "Frames-dataset.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("Frames-dataset/frames.json", json.dumps([FRAMES]))
    (row,) = parse("frames", {})["train"]
    assert row["dialogue_id"] == "frames/00000000-0000-4000-8000-000000000001"
    assert row["redistributable"] is False
    assert [(t["speaker"], t["text"]) for t in row["turns"]] == [
        ("user", "Any quiet week\nin Porto?"),
        ("system", "Yes, from 400 a head."),
    ]
    notes = row["turns"][0]["annotations"]
    assert [(a["act"], a["slot"], a["values"]) for a in notes["acts"]] == [
        ("inform", "dst_city", ["Porto"]),
        ("inform", "flex", ["True"]),
        ("request", "price", []),
        ("inform", "ref", ["Porto"]),
        ("thankyou", None, []),
    ]
    assert [(s["slot"], s["values"]) for s in notes["state"]] == [("dst_city", ["Porto"]), ("flex", [])]


def metalwoz_line(name, *turns, domain="TOY_LIBRARY"):
    return (
        json.dumps({"id": name, "user_id": "u", "bot_id": "b", "domain": domain, "task_id": "t", "turns": turns}) + "\n"
    )


def test_metalwoz_archives_in_an_archive(parse, tmp_path):
    raw = tmp_path / "raw"
    raw.mkdir()
    with zipfile.ZipFile(raw / "metalwoz-v1.zip", "w") as z:
        z.writestr("tasks.txt", "{}\n")
        z.writestr("dialogues/TOY_LIBRARY.txt", metalwoz_line("aa", "Hello how may I help you?", "is it open", "Yes"))
    inner = {name: io.BytesIO() for name in ("dstc8_metalwoz_heldout.zip", "dstc8_multiwoz2.0.zip")}
    for name, buffer in inner.items():
        with zipfile.ZipFile(buffer, "w") as z:
            z.writestr("dialogues/TOURISM.txt", metalwoz_line(name[:8], "Hello!", "hi", domain="TOURISM"))
    with zipfile.ZipFile(raw / "metalwoz-test-v1.zip", "w") as z:
        for name, buffer in inner.items():
            z.writestr(name, buffer.getvalue())
    rows = parse("metalwoz", {})
    (train,), (test,) = rows["train"], rows["test"]
    assert [t["speaker"] for t in train["turns"]] == ["system", "user", "system"]
    assert (train["domains"], test["domains"]) == (["TOY_LIBRARY"], ["TOURISM"])
    assert test["original_id"] == "dstc8_me"  # the MultiWOZ part is left out


def test_metalwoz_unpacked_as_its_authors_name_the_folders(parse):
    files = {
        "metalwoz-v1/dialogues/TOY_LIBRARY.txt": metalwoz_line("aa", "Hello!", "hi"),
        "metalwoz-test-v1/dstc8_metalwoz_heldout/dialogues/TOURISM.txt": metalwoz_line("bb", "Hello!", "hi"),
        "metalwoz-test-v1/dstc8_multiwoz2.0/dialogues/HOTEL.txt": metalwoz_line("cc", "Hello!", "hi"),
    }
    rows = parse("metalwoz", files)
    assert {split: [r["original_id"] for r in records] for split, records in rows.items()} == {
        "train": ["aa"],
        "test": ["bb"],
    }


MOVIE = "\ufeff" + "\n".join(
    [
        "\t".join(
            ["session.ID", "Message.ID", "Message.Timestamp", "Message.From", "Message.Text", "Dialog-Acts"] + [""] * 9
        ),
        "\t".join(
            [
                "1",
                "1",
                "2016-01-01T10:00:00.000Z",
                "user",
                r"Two seats\r\nfor caf\u00e9 \/ film \ud83d\ude00",
                "inform(seats=2;city={a#b})",
                " request(time;place) ",
            ]
            + [""] * 8
        ),
        "\t".join(["1", "1", "2016-01-01T10:00:01.000Z", "user", "please", ""] + [""] * 8),
        "\t".join(["1", "3", "2016-01-01T10:00:02.000Z", "agent", 'He said "ok"', "closing()"] + [""] * 9),
        "",
    ]
)
TAXI = "\n".join(
    [
        "\t".join(
            ["session.ID", "Message.ID", "Message.Timestamp", "Message.From", "Message.Text", "Annotation_Result"]
        ),
        "\t".join(
            [
                "1",
                "1",
                "2016-01-01T10:00:00.000Z",
                "user",
                '"A cab, please"',
                "request(taxi)",
                "inform(dropoff={})",
                "greeting()",
            ]
        ),
        "",
    ]
)


def test_msre2e(parse):
    movie, taxi = parse("msre2e", {"movie_all.tsv": MOVIE, "taxi_all.tsv": TAXI})["train"]
    assert (movie["dialogue_id"], taxi["dialogue_id"]) == ("msre2e/movie/1", "msre2e/taxi/1")
    assert [(t["speaker"], t["text"]) for t in movie["turns"]] == [
        ("user", "Two seats\r\nfor café / film 😀"),
        ("user", "please"),
        ("system", 'He said "ok"'),
    ]
    assert [(a["act"], a["slot"], a["values"]) for a in movie["turns"][0]["annotations"]["acts"]] == [
        ("inform", "seats", ["2"]),
        ("inform", "city", ["a", "b"]),
        ("request", "time", []),
        ("request", "place", []),
    ]
    assert taxi["turns"][0]["text"] == "A cab, please"
    assert [(a["act"], a["slot"]) for a in taxi["turns"][0]["annotations"]["acts"]] == [
        ("request", "taxi"),
        ("inform", "dropoff"),
        ("greeting", None),
    ]

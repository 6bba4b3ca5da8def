"""Quirks of the further intent sets, on invented files in the original format."""

import io
import tarfile

FOLD = "CrossValidation/autoGeneFromRealAnno/autoGene_x/CrossValidation/KFold_{}"
HWU64_HEADER = "answerid;scenario;intent;answer_annotation;answer_from_anno;answer_from_user\n"


def columns(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def packed(mode, files):
    """A tar file in memory."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def hwu64(*folders):
    row = '7;iot;lamp_on;"lamp; [what : on]";"lamp; on";"Lamp; on!"\n'
    files = {f"{FOLD.format(folder)}/iot_lamp_on.csv": HWU64_HEADER + row for folder in folders}
    return {"folds.tar.xz": packed("w:xz", files)}


def test_hwu64_trains_on_the_first_fold_and_tests_on_it(parse):
    dataset = parse("hwu64", hwu64("1/trainset", "1/testset/csv", "2/testset/csv"))
    expected = [("hwu64/{0}/KFold_1/iot_lamp_on/0", "lamp; on", "hwu64/iot_lamp_on", "iot")]
    for split, own in (("train", "trainset"), ("test", "testset")):
        rows = columns(dataset[split], "utterance_id", "utterance", "label", "scenario")
        assert rows == [(expected[0][0].format(own), *expected[0][1:])]


def test_hwu64_is_the_test_rows_of_all_folds(parse):
    rows = parse("hwu64", hwu64("1/trainset", "1/testset/csv", "2/testset/csv"), config="all")["train"]
    ids = [f"hwu64/all/KFold_{fold}/iot_lamp_on/0" for fold in (1, 2)]
    assert columns(rows, "utterance_id", "original_split") == [(each, "all") for each in ids]


def test_nlupp_has_several_intents_or_none(parse):
    both = [{"text": "move my room", "intents": ["room", "change"]}, {"text": "at 9", "slots": {}}]
    rows = parse("nlupp", {"nlupp/data/hotels/fold3.json": both, "nlupp/data/ontology.json": {}})["train"]
    assert columns(rows, "utterance_id", "label", "labels", "scenario", "is_out_of_scope") == [
        ("nlupp/all/hotels/fold3/0", "nlupp/change+room", ["nlupp/change", "nlupp/room"], "hotels", False),
        ("nlupp/all/hotels/fold3/1", "nlupp/none", [], "hotels", True),
    ]


def conll(*sentences):
    words = "1\tw\tweather\tO\n2\tx\tweather\tO"
    return "".join("".join(f"# {line}\n" for line in lines) + words + "\n\n" for lines in sentences)


def test_xsid_sentences_share_the_number_of_their_english_sentence(parse):
    english = conll(["text = Rain?", "intent = weather"], ["text: Snow?", "intent: weather", "slots: 0:4:x"])
    english += conll(["text = Rain?", "intent = weather"])
    dialects = conll(
        ["id = 2/B", "text = Snør det?", "intent = weather", "dialect = B"],
        ["id = 3/1", "text = Rægn?", "intent = weather", "dialect = V"],
        ["id = 3/2", "text = ", "intent = weather", "dialect = V"],
    )
    bavarian = conll(["id = 1", "text-en = Snow?", "text = Schneibts?", "intent = weather"])
    bavarian += conll(["id = 2", "text-en = Hail?", "text = Hagelts?", "intent = weather"])
    files = {"en.valid": english, "no.valid": dialects, "de-ba.valid": bavarian, "en.train": english}
    dataset = parse("xsid", {f"data/xSID-0.7/{name}.conll": text for name, text in files.items()})
    assert columns(dataset["validation"], "utterance_id", "utterance", "language", "parallel_id") == [
        ("xsid/valid/en/1", "Rain?", "en", "xsid/valid/1"),
        ("xsid/valid/en/2", "Snow?", "en", "xsid/valid/2"),
        ("xsid/valid/en/3", "Rain?", "en", "xsid/valid/1"),
        ("xsid/valid/de-ba/1", "Schneibts?", "bar", "xsid/valid/2"),
        ("xsid/valid/de-ba/2", "Hagelts?", "bar", None),
        ("xsid/valid/no/2/B", "Snør det?", "nb", "xsid/valid/2"),
        ("xsid/valid/no/3/1", "Rægn?", "no", "xsid/valid/1"),
    ]
    assert columns(dataset["train"], "parallel_id") == [(None,)] * 3


def test_arbanking77_has_english_labels_and_the_order_of_banking77(parse):
    files = {"Banking77_intents.csv": 'label_en,label_ar\n"card arrival","وصول"\n'}
    for split in ("MSA_PAL_val", "MSA_test", "Tunisian_test"):
        files[f"Banking77_Arabized_{split}.csv"] = 'label,text\n"وصول","أين "هي"؟"\n'
    dataset = parse("arbanking77", {f"data/{name}": text for name, text in files.items()})
    (validation,) = dataset["validation"]
    assert columns([validation], "utterance", "label", "language") == [('أين "هي"؟', "arbanking77/card_arrival", "ar")]
    assert columns(dataset["test"], "original_split", "language", "parallel_id") == [
        ("MSA_test", "ar", "banking77/test/0"),
        ("Tunisian_test", "ar-TN", None),
    ]


def test_translations_of_massive_and_banking77_share_an_id(parse):
    row = {"id": "7", "partition": "test", "intent": "a", "scenario": "b"}
    files = {f"1.0/data/{locale}.jsonl": {**row, "locale": locale, "utt": "hm"} for locale in ("de-DE", "fr-FR")}
    assert columns(parse("massive", files)["test"], "parallel_id") == [("massive/7",)] * 2


def test_banking77_test_rows_are_numbered_for_their_translations(parse):
    files = {f"{split}.csv": "text,category\nwhere,card\n" for split in ("train", "test")}
    dataset = parse("banking77", files)
    assert columns(dataset["train"], "parallel_id") == [(None,)]
    assert columns(dataset["test"], "parallel_id") == [("banking77/test/0",)]

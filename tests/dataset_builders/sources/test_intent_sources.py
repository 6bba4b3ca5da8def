"""Quirks of the further intent sets, on invented files in the original format."""

import io
import tarfile

import pytest

from dataset_builders.sources.readers import RawDataError

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


def test_home_assistant_takes_the_tests_of_each_language(parse):
    flat = {"sentences": ["Licht an", "yes"], "intent": {"name": "HassTurnOn", "slots": {}}}
    nested = {"sentences": ["is it open"], "slots": {}}
    files = {
        "de-CH/light_HassTurnOn.yaml": {"language": "de-CH", "tests": [flat]},
        "pt-br/light_HassTurnOn.yaml": {"language": "pt-br", "tests": [flat]},
        "en/HassGetState/name_only.yaml": {"language": "en", "tests": [nested]},
        "en/_fixtures.yaml": {"language": "en", "areas": []},
        "en/_test_failures.yaml": {"language": "en", "sentences": ["light"]},
    }
    rows = parse("home_assistant_intents", {f"tests/{path}": content for path, content in files.items()})["train"]
    assert columns(rows, "utterance_id", "utterance", "label", "language") == [
        (f"home_assistant_intents/all/{place}", text, f"home_assistant_intents/{intent}", language)
        for place, text, intent, language in (
            ("de-CH/light_HassTurnOn/0/0", "Licht an", "HassTurnOn", "de-CH"),
            ("de-CH/light_HassTurnOn/0/1", "yes", "HassTurnOn", "de-CH"),
            ("en/HassGetState/name_only/0/0", "is it open", "HassGetState", "en"),
            ("pt-br/light_HassTurnOn/0/0", "Licht an", "HassTurnOn", "pt-BR"),
            ("pt-br/light_HassTurnOn/0/1", "yes", "HassTurnOn", "pt-BR"),
        )
    ]


def test_botframework_skills_are_examples_with_the_values_of_their_entities(parse):
    lines = (
        "\ufeff> # Intent definitions",
        "## Book",
        "- book {To={From=5  pm}} in {Room=room 1}",
        "- book {Room}",
        "- (book|take) [the] room^",
        "",
        "## None",
        "- all of them",
        "$Room:room one=",
        "- room 1",
        "@ list floor",
        "\t\t- first",
    )
    name = "skills/csharp/{}skill/Deployment/Resources/LU/{}.lu"
    files = {
        name.format(*place): "\r\n".join(lines) for place in (("calendar", "en-us/Calendar"), ("todo", "en-us/General"))
    }
    files[name.format("experimental/poi", "de-de/secondary/poi_x")] = "# Find\n- wo ist {Place=Ulm}\n"
    rows = parse("botframework_skills", files)["train"]
    names = ("utterance_id", "utterance", "label", "scenario", "is_out_of_scope", "language", "parallel_id", "origin")
    calendar = ("calendar", False, "en-US", None, None)
    own = "botframework_skills"
    assert columns(rows, *names) == [
        (f"{own}/all/en-us/calendar/Calendar/3", "book 5 pm in room 1", f"{own}/calendar/Book", *calendar),
        (f"{own}/all/en-us/calendar/Calendar/8", "all of them", f"{own}/None", "calendar", True, *calendar[2:]),
        (
            f"{own}/all/de-de/poi/poi_x/2",
            "wo ist Ulm",
            f"{own}/poi/Find",
            "poi",
            False,
            "de-DE",
            f"{own}/poi_x/2",
            "machine",
        ),
    ]


def test_hinglish_top_takes_the_outer_intent_of_the_mixed_sentence(parse):
    lines = [
        "en_query\tcs_query\ten_parse\tcs_parse\tdomain",
        'rain "today\taaj "barish\t[IN:X rain ]\t[IN:GET_WEATHER [SL:DATE [IN:GET_DAY aaj ] ] "barish ]\tweather',
        "fly\tud jao\t[IN:X fly ]\t[IN:UNSUPPORTED_NAVIGATION ud jao ]\tnavigation",
    ]
    rows = parse("hinglish_top", {"Dataset/Human Annotated Data/validation.tsv": "\r\n".join(lines)})["validation"]
    assert columns(rows, "utterance", "label", "scenario", "is_out_of_scope", "language") == [
        ('aaj "barish', "hinglish_top/GET_WEATHER", "weather", False, "hi-Latn"),
        ("ud jao", "hinglish_top/UNSUPPORTED_NAVIGATION", "navigation", True, "hi-Latn"),
    ]


def test_3i4k_names_the_speech_acts(parse):
    dataset = parse("3i4k", {"data/train_val_test/fci_train_val.txt": "0\t물\n3\t물 줘\n", "data/fci.txt": "0\t물\n"})
    assert columns(dataset["train"], "utterance_id", "utterance", "label") == [
        ("3i4k/train_val/0", "물", "3i4k/fragment"),
        ("3i4k/train_val/1", "물 줘", "3i4k/command"),
    ]


def test_parakqc_keeps_ten_paraphrases_together(parse):
    lines = "".join(f"{topic}\t1\t질문 {number}\n" for topic in (0, 3) for number in range(10))
    rows = parse("parakqc", {"data/paraKQC_v1.txt": lines})["train"]
    assert columns(rows, "label", "scenario", "parallel_id") == [
        (f"parakqc/{topic}_wh_question", topic, f"parakqc/{number}")
        for number, topic in enumerate(("mail", "weather"))
        for _ in range(10)
    ]


def test_multidogo_splits_joined_intents(parse):
    header = "conversationId\tturnNumber\tsentenceNumber\tutteranceId\tutterance\tslot-labels\tintent\n"
    lines = (
        'c\t0\t0\tu\t"hi\nthere"\tO O\tthankyou<div>bookflight\nc\t0\t1\tu\thm\tO\toutofdomain\nc\t2\t0\tu\t \tO\tx\n'
    )
    path = "data/paper_splits/splits_annotated_at_{}_level/airline/dev.tsv"
    files = {path.format(level): header + lines for level in ("sentence", "turn")}
    rows = parse("multidogo", files)["validation"]
    assert columns(rows, "utterance_id", "utterance", "labels", "scenario", "is_out_of_scope") == [
        ("multidogo/dev/airline/c/0/0", "hi\nthere", ["multidogo/bookflight", "multidogo/thankyou"], "airline", False),
        ("multidogo/dev/airline/c/0/1", "hm", ["multidogo/outofdomain"], "airline", True),
    ]


def test_bitext_is_made_from_templates(parse):
    text = 'utterance,intent,entity_type,entity_value,start_offset,end_offset,category,tags\n"my, card",pay,,,,,PAYMENT,B\n'
    path = "data/dev/Bitext_Sample_Customer_Service_Validation_Dataset.csv"
    rows = parse("bitext_customer_service", {path: text})["validation"]
    assert columns(rows, "utterance", "label", "scenario", "origin") == [
        ("my, card", "bitext_customer_service/pay", "PAYMENT", "template")
    ]


def test_nlu_evaluation_corpora_have_a_split_for_each_sentence(parse):
    sentences = [
        {"text": "boot?", "intent": "None", "training": True, "entities": [], "author": "somebody"},
        {"text": "print?", "intent": "Setup Printer", "training": False, "entities": []},
    ]
    dataset = parse("nlu_evaluation_corpora", {"AskUbuntuCorpus.json": {"sentences": sentences}})
    own = "nlu_evaluation_corpora"
    assert [columns(dataset[split], "utterance_id", "label", "is_out_of_scope") for split in ("train", "test")] == [
        [(f"{own}/train/AskUbuntu/0", f"{own}/None", True)],
        [(f"{own}/test/AskUbuntu/1", f"{own}/Setup Printer", False)],
    ]


def test_rasa_examples_lose_the_marks_of_entities(parse):
    entries = [
        '- intent: currency\n  examples: |\n    - yes\n    - [Oslo](city) to [Rome]{"entity": "city"}\n',
        "- synonym: euro\n  examples: |\n    - euros\n",
    ]
    rows = parse("rasa_nlu_training_data", {"banking/nlu.yml": 'version: "2.0"\nnlu:\n' + "".join(entries)})["train"]
    assert columns(rows, "utterance", "label", "scenario") == [
        ("yes", "rasa_nlu_training_data/currency", "banking"),
        ("Oslo to Rome", "rasa_nlu_training_data/currency", "banking"),
    ]


def test_yaml_that_is_broken_is_named(parse):
    with pytest.raises(RawDataError, match=r"nlu\.yml: not valid YAML .*; fetch the file again"):
        parse("rasa_nlu_training_data", {"banking/nlu.yml": "nlu: [a"})


def test_nlpjs_languages_have_the_english_intents_in_order(parse):
    english = [
        {"id": 0, "intent": "None", "utterances": [], "tests": ["rain"]},
        {"id": 1, "intent": "chat.age", "utterances": ["your age?", "how old?"], "tests": []},
    ]
    french = [
        {"identifiant": 0, "intention": "Aucun", "utterances": [], "tests": ["pluie"]},
        {"id": 1, "intent": "chat.age", "utterances": ["ton âge ?"], "tests": []},
    ]
    files = {f"corpora/corpus-{code}.json": {"data": data} for code, data in (("en", english), ("fr", french))}
    dataset = parse("nlpjs_corpus50", files)
    names = ("utterance", "label", "is_out_of_scope", "language", "parallel_id", "origin")
    oos = ("nlpjs_corpus50/None", True)
    assert columns(dataset["test"], *names) == [
        ("rain", *oos, "en", "nlpjs_corpus50/tests/None/0", "human"),
        ("pluie", *oos, "fr", "nlpjs_corpus50/tests/None/0", "machine"),
    ]
    assert columns(dataset["train"], "utterance", "parallel_id") == [
        ("your age?", "nlpjs_corpus50/utterances/chat.age/0"),
        ("how old?", "nlpjs_corpus50/utterances/chat.age/1"),
        ("ton âge ?", None),
    ]

"""Where counts_more.json has the counts of each source, as `variant|split` with wildcards.

Where our rows are another reading of the files than the one that was counted there, the counts are given here, with
the reason; they were then counted by a few lines that do not use the parser.
"""

COUNTED: dict[tuple[str, str], dict[str, list[str] | dict[str, int]]] = {
    ("hwu64", "kfold1"): {"trainset": ["KFold_1|trainset"], "testset": ["KFold_1|testset"]},
    ("hwu64", "all"): {"all": ["ten_test_folds|all"]},
    ("nlupp", "default"): {"all": ["*|20 folds"]},
    # a Norwegian text of `valid` is empty
    ("xsid", "default"): {"valid": {"rows": 8549}, "test": ["*|test"]},
    ("arbanking77", "default"): {
        split: [f"csv|{split}"]
        for split in (
            "MSA_PAL_train",
            "MSA_PAL_val",
            "MSA_test",
            "PAL_test",
            "Saudi_test",
            "Moroccan_test",
            "Tunisian_test",
        )
    },
    ("self_dialogue", "default"): {"all": ["without_blocked_workers|all"]},
    # turns, which have one or more of the messages that are counted there
    ("chitchat", "default"): {"all": {"dialogues": 7168, "utterances": 138725}},
    ("irc_disentanglement", "default"): {
        "train": {"dialogues": 5685, "utterances": 56346},  # one less than there
        "dev": ["*|dev"],
        "test": ["*|test"],
        "channel-two": {"dialogues": 108, "utterances": 1842},  # only the log that holds all others
        "new-domains": ["*|new-domains"],
    },
    ("real_persona_chat", "default"): {"all": ["all|all"]},
    ("mrmp_chat", "default"): {"all": ["*|all"]},
    ("home_assistant_intents", "default"): {"all": ["all|tests"]},
    # without the files that repeat the texts of others, and without patterns
    ("botframework_skills", "default"): {"all": {"rows": 38994}},
    ("hinglish_top", "default"): {split: [f"human_cs_query|{split}"] for split in ("train", "validation", "test")},
    ("3i4k", "default"): {split: [f"train_val_test/fci_{split}|all"] for split in ("train_val", "test")},
    ("parakqc", "default"): {"all": ["v1|all"]},
    # without 75 empty sentences
    ("multidogo", "default"): {"train": {"rows": 85249}, "dev": {"rows": 11963}, "test": {"rows": 24349}},
    ("bitext_customer_service", "default"): {split: [f"csv|{split}"] for split in ("train", "dev", "test")},
    ("nlu_evaluation_corpora", "default"): {split: [f"*|{split}"] for split in ("train", "test")},
    ("rasa_nlu_training_data", "default"): {"all": ["all|all"]},
    # with the 15 French intents under the key `intention`
    ("nlpjs_corpus50", "default"): {"utterances": {"rows": 1499}, "tests": {"rows": 1536}},
    # parts of meetings; turns without a word, only with a mark such as {vocalsound}, are none
    ("qmsum", "default"): {
        "train": {"dialogues": 851, "utterances": 84173},
        "val": {"dialogues": 181, "utterances": 18870},
        "test": {"dialogues": 196, "utterances": 19862},
    },
    ("star", "default"): {"all": ["completion_Complete|all"]},
    ("crosswoz", "default"): {split: [f"json|{split}"] for split in ("val", "test")},
    ("russian_multiwoz", "default"): {split: [f"interim_russian|{split}"] for split in ("train", "dev", "test")},
    ("smcalflow", "default"): {"valid": ["2.0|valid"]},
    # the instances that no other one continues, with the 104 answers of the labels
    ("dstc10_track2", "default"): {"val": {"dialogues": 107, "utterances": 1271 + 104}},
    # without the sign of the end, the only text of 34 turns
    ("tau_bench", "default"): {"all": {"dialogues": 288, "utterances": 4132}},
    ("gpt_negochat", "default"): {split: [f"data|{split}"] for split in ("train", "test")},
    # a dialogue for each answer
    ("alex_context_nlg", "default"): {"all": {"dialogues": 3 * 1859, "utterances": 6 * 1859}},
    ("kdconv", "default"): {split: [f"*|{split}"] for split in ("dev", "test")},
    # without the 48,072 records of one utterance
    ("asdc", "default"): {
        "train": {"dialogues": 58677, "utterances": 162103},
        "dev": {"dialogues": 10341, "utterances": 27712},
        "test": {"dialogues": 9309, "utterances": 24985},
    },
    # the records that no other one continues, with an answer each
    ("cima", "default"): {"all": {"dialogues": 418, "utterances": 2432 + 418}},
    # without 13 turns that consist of the teacher's move
    ("mathdial", "default"): {"test": {"dialogues": 599, "utterances": 7028 - 13}},
    # each excerpt once
    ("bridge", "default"): {
        "train": {"dialogues": 340, "utterances": 2350},
        "validation": {"dialogues": 66, "utterances": 462},
        "test": {"dialogues": 187, "utterances": 1291},
    },
    ("mts_dialog", "default"): {
        "train": {"dialogues": 1201, "utterances": 11453},  # one more, with a full stop behind the speaker
        **{split: [f"main|{split}"] for split in ("validation", "test1", "test2")},
    },
    ("aci_bench", "default"): {
        "valid": ["*|validation"],
        **{split: [f"*|{split}"] for split in ("train", "test1", "test2", "test3")},
    },
    # without 15 intervals that have only a tag and a full stop
    ("primock57", "default"): {"all": {"dialogues": 57, "utterances": 6712}},
    ("topical_chat", "default"): {
        split: [f"*|{split}"] for split in ("valid_freq", "valid_rare", "test_freq", "test_rare")
    },
    ("xpersona", "default"): {
        **{split: [f"En|{split}"] for split in ("valid", "test")},
        **{f"split_{split}": [f"[!E]?|{split}"] for split in ("valid", "test")},
    },
    # with the speakers that have asterisks around them, without stage directions and two cells that name no speaker
    ("synthetic_persona_chat", "default"): {
        "valid": {"dialogues": 1000, "utterances": 27777},
        "test": {"dialogues": 966, "utterances": 26543},
    },
    # without eight conversations that are no lists of turns
    ("chatterbot_corpus", "default"): {"all": {"dialogues": 7609, "utterances": 19535}},
    ("songys_chatbot_data", "default"): {"all": ["csv|all"]},
}
"""Source and config -> our original split -> variants and splits of counts_more.json that add up to it."""

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
}
"""Source and config -> our original split -> variants and splits of counts_more.json that add up to it."""

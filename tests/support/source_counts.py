"""Where counts_more.json has the counts of each source, as `variant|split` with wildcards.

Where our rows are another reading of the files than the one that was counted there, the counts are given here, with
the reason; they were then counted by a few lines that do not use the parser.
"""

COUNTED: dict[tuple[str, str], dict[str, list[str] | dict[str, int]]] = {}
"""Source and config -> our original split -> variants and splits of counts_more.json that add up to it."""

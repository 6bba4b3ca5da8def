"""The example corpus in CONTRIBUTING.md works as printed."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_example_corpus_is_parsed(tmp_path):
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    (code,) = re.findall(r'```python\n("""Tea Shop.*?)```', guide, re.DOTALL)
    (tmp_path / "tea_shop_module.py").write_text(code)
    raw = tmp_path / "raw"
    raw.mkdir()
    turns = [
        {"who": "guest", "said": "A green tea, please", "acts": ["order"]},
        {"who": "counter", "said": "Here it is"},
    ]
    (raw / "train.json").write_text(json.dumps([{"id": 1, "turns": turns}]))
    check = """
import sys
from tea_shop_module import TeaShop
builder = TeaShop(data_dir=sys.argv[1], cache_dir=sys.argv[2])
builder.download_and_prepare()
(row,) = builder.as_dataset("train")
assert row["dialogue_id"] == "tea_shop/1" and row["license"] == "CC-BY-4.0", row
assert [(t["speaker"], t["text"]) for t in row["turns"]] == [("user", "A green tea, please"), ("system", "Here it is")]
"""
    result = subprocess.run(
        [sys.executable, "-c", check, raw, tmp_path / "cache"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr

"""The metrics as a Space, which `evaluate` loads without this package."""

import pytest
from sklearn.metrics import v_measure_score

from push_scripts.errors import PushError
from push_scripts.push_metric import push_metric
from push_scripts.push_options import PushOptions

LOAD = """
import json
import evaluate
vectors = dict(predictions=[[1.0, 0.0], [0.0, 1.0]], references=[[0.1, 0.9], [0.8, 0.2]], labels=[0, 1])
classes, scores = dict(predictions=[0, 1, 1], references=[0, 1, 0]), dict(predictions=[0.1, 0.9], references=[0, 1])
results = {{}}
for name, inputs in (("mrr", vectors), ("mean_cosine", vectors), ("macro_f1", classes), ("auroc", scores)):
    results |= evaluate.load({repo!r}, name).compute(**inputs)
results |= evaluate.combine([evaluate.load({repo!r}, name) for name in ("accuracy", "v_measure")]).compute(**classes)
try:
    evaluate.load({repo!r}, "bleu")
except ValueError as error:
    results["message"] = str(error)
print(json.dumps(results))
"""


@pytest.mark.slow
def test_evaluate_loads_the_pushed_metrics(hub, stranger, monkeypatch):
    hub.use_here(monkeypatch)
    repo = f"{hub.namespace}/dialogue_metrics"
    result = push_metric(repo, PushOptions(tag="v1.0"))
    files = hub.files("spaces", "dialogue_metrics", "v1.0")
    assert files.keys() == {*result.sizes, ".gitattributes"}
    assert f'evaluate.load("{repo}", "mrr")' in files["README.md"].decode()
    assert "sdk: gradio" in files["README.md"].decode()
    results = hub.json(LOAD.format(repo=repo), python=stranger)
    message = results.pop("message")
    assert message.startswith("unknown metric 'bleu': expected one of accuracy_1_of_100")
    assert message.endswith("v_measure, nmi")
    expected = {"mrr": 0.5, "mean_cosine": (0.1 / 0.82**0.5 + 0.2 / 0.68**0.5) / 2, "macro_f1": 2 / 3, "auroc": 1.0}
    assert results == pytest.approx({**expected, "accuracy": 2 / 3, "v_measure": v_measure_score([0, 1, 0], [0, 1, 1])})


def test_a_name_that_cannot_be_imported_is_refused():
    with pytest.raises(PushError, match=r"imports a file of that name; use letters, digits and _ only"):
        push_metric("org/dialogue-metrics", PushOptions(dry_run=True))

"""What `CubeTrainer` shares with `transformers.Trainer`, on invented vectors."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel, EarlyStoppingCallback, TrainerCallback

from cube_model import CubeTrainer, ModelError
from cube_model.training.output import RECORD
from support.vector_training import Vectors, config

FIGURES = {"accuracy_1_of_100", "mean_cosine", "mean_cosine_to_teacher"}


class Events(TrainerCallback):
    """Records all events; `act` is a function of an event and the control."""

    def __init__(self, act=lambda event, state, control: None):
        self.seen, self.act = [], act

    def __getattribute__(self, name):
        if not name.startswith("on_"):
            return super().__getattribute__(name)

        def see(args, state, control, **how):
            self.seen.append((name.removeprefix("on_"), state.global_step))
            self.act(name.removeprefix("on_"), state, control)

        return see


def trained(callbacks=(), compute_metrics=None, training_arguments=None, **options):
    surface = {"callbacks": callbacks, "compute_metrics": compute_metrics, "training_arguments": training_arguments}
    trainer = CubeTrainer(config(**options), **surface)
    return trainer, trainer.train(Vectors())


def test_a_callback_sees_every_event(tmp_path):
    events = Events()
    trained([events], epochs=2, output=str(tmp_path / "core"))
    step = ["step_begin", "pre_optimizer_step", "optimizer_step", "step_end"]
    names = [name for name, _ in events.seen if name != "log"]
    epoch = ["epoch_begin", *step * 5, "epoch_end", "evaluate", "save"]
    assert names == ["init_end", "train_begin", "evaluate", *epoch, *epoch, "train_end"]
    assert ("evaluate", 5) in events.seen
    assert ("log", 1) in events.seen


def test_a_callback_gets_losses_and_figures_and_the_parts_of_the_training():
    entries, parts = [], {}

    class Logs(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **how):
            entries.append(logs)

        def on_step_end(self, args, state, control, model=None, optimizer=None, lr_scheduler=None, **how):
            parts.update(model=model, optimizer=optimizer, lr_scheduler=lr_scheduler)

    trainer, _ = trained([Logs])
    assert parts["model"].model is trainer.model
    assert parts["optimizer"].param_groups[0]["weight_decay"] == 0.01
    assert any({"loss", "grad_norm", "learning_rate"} <= set(entry) for entry in entries)
    evaluations = [entry for entry in entries if "eval_accuracy_1_of_100" in entry]
    history = trainer.progress.history
    assert [entry["eval_accuracy_1_of_100"] for entry in evaluations] == [e["accuracy_1_of_100"] for e in history]
    assert [entry["epoch_loss"] for entry in entries if "epoch_loss" in entry] == [e["loss"] for e in history[1:]]


@pytest.mark.parametrize(("event", "step"), [("step_end", 7), ("epoch_end", 5), ("evaluate", 5)])
def test_a_callback_stops_the_training(tmp_path, event, step):
    def stop(name, state, control):
        if (name, state.global_step) == (event, step):
            control.should_training_stop = True

    events = Events(stop)
    trainer, metrics = trained([events], output=str(tmp_path / "core"))
    assert max(at for _, at in events.seen) == step
    assert events.seen[-1][0] == "train_end"
    assert metrics["epochs"] == -(-step // 5) == len(trainer.progress.history) - 1
    assert json.loads((tmp_path / "core" / RECORD).read_text())["history"] == trainer.progress.history
    assert metrics["accuracy_1_of_100"] > trainer.progress.history[0]["accuracy_1_of_100"], "validated after the stop"


def test_a_callback_asks_for_a_validation_within_an_epoch(tmp_path):
    """It sees the figures; epochs, history and result stay as they are."""

    def ask(name, state, control):
        if (name, state.global_step) in (("step_end", 3), ("step_end", 8)):
            control.should_evaluate = control.should_save = True

    events = Events(ask)
    asked, _ = trained([events], output=str(tmp_path / "core"))
    assert [step for name, step in events.seen if name == "evaluate"] == [0, 3, 5, 8, 10, 15]
    assert asked.progress.history == trained()[0].progress.history


def test_early_stopping_of_the_library_stops_and_the_best_epoch_is_kept(caplog, tmp_path):
    """Only an improvement by .5 resets its patience, so it stops after two validations without one."""
    stopping = EarlyStoppingCallback(early_stopping_patience=2, early_stopping_threshold=0.5)
    trainer, metrics = trained([stopping], epochs=9, patience=9, output=str(tmp_path / "core"))
    best = max(entry["accuracy_1_of_100"] for entry in trainer.progress.history)
    assert 2 <= metrics["epochs"] < 9
    assert metrics["accuracy_1_of_100"] == best == trainer.evaluate()["accuracy_1_of_100"]
    assert "best model will not be loaded" not in caplog.text
    assert trained(epochs=9, patience=9)[1]["epochs"] == 9


def test_arguments_of_the_library_change_the_training_and_are_recorded(tmp_path):
    rates = []

    class Norms(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **how):
            rates.append((args.max_grad_norm, args.logging_steps, args.optim))

    further = {"max_grad_norm": 0.01, "logging_steps": 1, "optim": "sgd"}
    clipped, _ = trained([Norms], training_arguments=further, output=str(tmp_path / "core"))
    assert set(rates) == {(0.01, 1, "sgd")}
    assert json.loads((tmp_path / "core" / RECORD).read_text())["arguments"]["training_arguments"] == further
    assert clipped.progress.history != trained()[0].progress.history


@pytest.mark.parametrize(
    ("further", "words"),
    [
        ({"learning_rate": 1}, r"learning_rate is set by TrainingConfig\(learning_rate=...\)"),
        ({"num_train_epochs": 1}, r"num_train_epochs is set by TrainingConfig\(epochs=...\)"),
        ({"eval_strategy": "no"}, "eval_strategy is set by the trainer itself"),
        ({"deepspeed": {}}, "deepspeed is set by `accelerate launch`"),
        ({"speed": 1}, "transformers.TrainingArguments has no speed"),
        ({"optim": "fastest"}, "fastest is not a valid OptimizerNames"),
        ({"max_grad_norm": float("nan")}, "max_grad_norm is nan, which training.json cannot record"),
    ],
)
def test_arguments_of_the_library_that_contradict_the_configuration_are_refused(further, words):
    with pytest.raises(ModelError, match=f"training_arguments: {words}"):
        trained(training_arguments=further)


def test_a_callback_is_added_later():
    events = Events()
    trainer = CubeTrainer(config(epochs=1))
    trainer.add_callback(events)
    trainer.train(Vectors())
    assert ("train_end", 5) in events.seen


def test_the_result_is_the_same_with_and_without_callbacks():
    one, other = trained()[0], trained([Events()], compute_metrics=lambda prediction: {"n": 1})[0]
    for name, value in one.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])


def test_train_returns_metrics(tmp_path):
    trainer, metrics = trained(output=str(tmp_path / "core"))
    assert set(metrics) == {*FIGURES, "loss", "best_epoch", "epochs", "seconds", "output"}
    best = trainer.progress.history[metrics["best_epoch"]]
    assert {name: metrics[name] for name in (*FIGURES, "loss")} == {name: best[name] for name in (*FIGURES, "loss")}
    assert metrics["epochs"] == 3
    assert metrics["seconds"] > 0
    assert metrics["output"] == tmp_path / "core"
    assert trained(epochs=1)[1]["output"] is None


def test_evaluate_gives_the_recorded_figures():
    trainer, metrics = trained()
    assert trainer.evaluate() == {name: metrics[name] for name in FIGURES}
    assert trainer.evaluate(Vectors()) == trainer.evaluate()
    untrained = CubeTrainer(config(embedding_dim=24, context_turns=1))
    assert untrained.evaluate(Vectors()) == {name: trainer.progress.history[0][name] for name in FIGURES}
    with pytest.raises(ModelError, match="nothing to train on"):
        CubeTrainer(config(embedding_dim=24)).evaluate()


def nearest(prediction):
    """Recall among all validation answers."""
    questions, answers = prediction.predictions
    assert questions.shape == answers.shape == (200, 24)
    np.testing.assert_allclose(np.linalg.norm(questions, axis=1), 1, atol=1e-5)
    nearest = prediction.label_ids[(questions @ answers.T).argmax(1)]
    return {"recall_at_1": np.float32((nearest == prediction.label_ids).mean())}


def test_further_metrics_are_in_the_history(tmp_path):
    trainer, metrics = trained(compute_metrics=nearest, output=str(tmp_path / "core"))
    history = json.loads((tmp_path / "core" / RECORD).read_text())["history"]
    assert history == trainer.progress.history
    assert history[-1]["recall_at_1"] > history[0]["recall_at_1"]
    assert metrics["recall_at_1"] == history[metrics["best_epoch"]]["recall_at_1"]
    assert trainer.evaluate()["recall_at_1"] == metrics["recall_at_1"]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"loss": 1}, "loss is the name of a figure of every training"),
        ({"words": "many"}, "words is 'many', expected a number"),
    ],
)
def test_metrics_that_cannot_be_recorded_are_refused(figures, words):
    with pytest.raises(ModelError, match=f"compute_metrics: {words}"):
        trained(compute_metrics=lambda prediction: figures)


def test_a_saved_model_loads_and_is_replaced_only_when_asked(tmp_path):
    trainer, _ = trained(output=str(tmp_path / "core"))
    assert trainer.save_model(tmp_path / "copy") == tmp_path / "copy"
    names = {path.name for path in (tmp_path / "core").iterdir()}
    assert names == {path.name for path in (tmp_path / "copy").iterdir()}
    for name in names - {"README.md"}:  # its examples name the folder
        assert (tmp_path / "core" / name).read_bytes() == (tmp_path / "copy" / name).read_bytes(), name
    model = AutoModel.from_pretrained(tmp_path / "copy")
    questions = torch.randn(3, 24)
    assert torch.equal(model(questions).embeddings, trainer.model(questions).embeddings)
    with pytest.raises(ModelError, match="exists; pass --overwrite"):
        trainer.save_model(tmp_path / "copy")
    trainer.save_model(tmp_path / "copy", overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} == {"core", "copy"}
    for call in (CubeTrainer(config()).save_model, CubeTrainer(config()).push_to_hub):
        with pytest.raises(ModelError, match="nothing is trained yet"):
            call(str(tmp_path / "other"))


def test_a_model_is_pushed_with_record_and_card(hub, monkeypatch):
    hub.use_here(monkeypatch)
    trainer, _ = trained(epochs=1)
    url = trainer.push_to_hub(f"{hub.namespace}/core", tag="v1", message="First core")
    assert url.startswith(hub.url)
    files = hub.files("models", "core", "v1")
    assert {"README.md", "config.json", "model.safetensors", "modeling_cube.py", RECORD} <= set(files)
    assert json.loads(files[RECORD])["history"] == trainer.progress.history
    assert b"license" in files["README.md"]
    with pytest.raises(Exception, match="--create-pr and --tag exclude each other"):
        trainer.push_to_hub(f"{hub.namespace}/core", create_pr=True, tag="v2")

import os
import subprocess
import sys

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from torch.nn.functional import normalize

from cube_model import CubeConfig, CubeModel
from cube_model.core import modeling_cube
from cube_model.core.configuration_cube import cubic_lattice
from cube_model.training.losses import DialogueLoss, contrastive_loss


def vectors(*shape, seed=0):
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def random_model(config, seed=0):
    """Build a core with random weights, as if it had been trained."""
    torch.manual_seed(seed)
    model = CubeModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return model


@pytest.mark.parametrize(
    ("cells", "sides"),
    [(384, [8, 8, 6]), (768, [8, 8, 12]), (576, [8, 8, 9]), (1024, [8, 8, 16]), (4096, [16, 16, 16]), (7, [1, 1, 7])],
)
def test_lattice_is_as_close_to_a_cube_as_possible(cells, sides):
    assert cubic_lattice(cells) == sides
    assert CubeConfig(embedding_dim=cells).lattice_size == sides


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lattice_size": [8, 8, 8]}, "8 x 8 x 8 has 512 cells"),
        ({"lattice_size": [8, 48]}, "three sides"),
        ({"embedding_dim": 0}, "embedding_dim is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"global_units": 0, "plane_units": 0}, "cannot exchange"),
        ({"mode": "generator"}, "mode is 'generator'"),
        ({"mode": "autoencoder", "code_size": 0}, "code_size is 0"),
    ],
)
def test_error_names_the_impossible_shape(options, words):
    with pytest.raises(StrictDataclassError, match=words):
        CubeConfig(**options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("options", [{}, {"context_turns": 2}, {"plane_units": 0, "cell_channels": 0, "steps": 3}])
def test_untrained_core_is_exactly_the_identity(options, dtype):
    model = CubeModel(CubeConfig(**options)).to(dtype).eval()
    inputs = vectors(5, 1 + options.get("context_turns", 0), 384).to(dtype)
    output = model(inputs, inputs[:, 0])
    assert torch.equal(output.embeddings, inputs[:, 0])
    assert torch.equal(output.answer_embeddings, inputs[:, 0])


def test_trained_core_changes_embeddings_and_reads_context():
    model = random_model(CubeConfig(context_turns=2))
    inputs = vectors(4, 3, 384)
    without = inputs.clone()
    without[:, 2] = 0
    assert not torch.allclose(model(inputs).embeddings, inputs[:, 0], atol=1e-3)
    assert not torch.allclose(model(inputs).embeddings, model(without).embeddings, atol=1e-4)
    # an omitted turn equals a turn of zeros
    assert torch.equal(model(without).embeddings, model(inputs[:, :2]).embeddings)
    assert torch.equal(model(inputs[:, 0]).embeddings, model(inputs[:, :1]).embeddings)


def test_rows_of_a_batch_are_independent():
    model, inputs = random_model(CubeConfig(context_turns=1)), vectors(9, 2, 384)
    alone = torch.cat([model(row[None]).embeddings for row in inputs])
    torch.testing.assert_close(model(inputs).embeddings, alone, atol=1e-5, rtol=1e-5)


def test_plane_units_connect_all_cells_in_two_steps():
    """Any two cells lie in planes that intersect."""
    model = random_model(CubeConfig(embedding_dim=48, global_units=0, plane_units=2, cell_channels=0, steps=2))
    inputs = vectors(1, 48).requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x).embeddings[0], inputs)[:, 0]
    assert (jacobian.abs() > 0).all()
    one_step = random_model(CubeConfig(embedding_dim=48, global_units=0, plane_units=2, cell_channels=0, steps=1))
    jacobian = torch.autograd.functional.jacobian(lambda x: one_step(x).embeddings[0], inputs)[:, 0]
    assert (jacobian == 0).any()


def test_scatter_is_the_inverse_of_gather():
    model, state = CubeModel(CubeConfig(embedding_dim=60, lattice_size=[3, 4, 5])), vectors(7, 60)
    planes = [units for units in model.core.units if units.axis is not None]
    assert len(planes) == 3
    for units in planes:
        assert torch.equal(units.scatter(units.gather(state.T[None].contiguous())).reshape(60, 7), state.T)


@pytest.mark.parametrize("columns", [7, 16384])
def test_cell_rule_matches_a_plain_network_and_its_gradients(columns, monkeypatch):
    monkeypatch.setattr(modeling_cube, "_COLUMNS", columns)  # 7: the last block is incomplete
    rule = modeling_cube.CellRule(channels=3, hidden=4).double()
    for parameter in rule.parameters():
        torch.nn.init.normal_(parameter)
    turns = torch.randn(3, 5, 4, dtype=torch.double, requires_grad=True)
    expected = torch.einsum(
        "h,hcb->cb",
        rule.write,
        torch.relu(torch.einsum("ht,tcb->hcb", rule.read, turns) + rule.read_bias[:, :, None]),
    )
    torch.testing.assert_close(rule(turns), expected)
    grad_output = torch.randn_like(expected)
    inputs = [turns, *rule.parameters()]
    gradients = torch.autograd.grad(rule(turns), inputs, grad_output)
    for gradient, true in zip(gradients, torch.autograd.grad(expected, inputs, grad_output), strict=True):
        torch.testing.assert_close(gradient, true)


def loss_of(model, **options):
    return DialogueLoss(model, **{"noise": 0.0, "temperature": 20.0, "cosine_weight": 0.0, **options})


@pytest.mark.parametrize("cosine_weight", [0.0, 0.3])
def test_every_weight_gets_a_gradient(cosine_weight):
    loss = loss_of(random_model(CubeConfig(embedding_dim=24, context_turns=1)), cosine_weight=cosine_weight).train()
    loss(vectors(8, 2, 24), vectors(8, 24, seed=1), torch.arange(8)).backward()
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in loss.parameters())


def test_equal_answers_are_not_negatives():
    questions, answers = vectors(4, 8), vectors(4, 8, seed=1)
    answers[1] = answers[0]
    labels = torch.tensor([5, 5, 6, 7])
    scores = questions @ answers.T * 20
    expected = [
        torch.logsumexp(scores[i, [j for j in range(4) if j == i or labels[i] != labels[j]]], 0) - scores[i, i]
        for i in range(4)
    ]
    temperature = torch.tensor(20.0).log()
    masked = contrastive_loss(questions, answers, labels, temperature)
    torch.testing.assert_close(masked, torch.stack(expected).mean())
    assert contrastive_loss(questions, answers, torch.arange(4), temperature) > masked


def test_label_smoothing_is_uniform_over_the_answers_that_count():
    questions, answers, labels = vectors(4, 8), vectors(4, 8, seed=1), torch.tensor([5, 5, 6, 7])
    temperature = torch.tensor(20.0).log()
    scores = questions @ answers.T * 20
    expected = []
    for i in range(4):
        others = [j for j in range(4) if j == i or labels[i] != labels[j]]
        logs = scores[i, others].log_softmax(0)
        expected.append(-0.9 * logs[others.index(i)] - 0.1 * logs.mean())
    smoothed = contrastive_loss(questions, answers, labels, temperature, label_smoothing=0.1)
    torch.testing.assert_close(smoothed, torch.stack(expected).mean())


def test_hard_negatives_count_for_their_own_question_only():
    questions, answers, negatives = vectors(3, 8), vectors(3, 8, seed=1), vectors(3, 2, 8, seed=2)
    negatives[1, 1] = 0
    negatives[2] = 0
    loss = loss_of(CubeModel(CubeConfig(embedding_dim=8)).eval())
    scores = [
        torch.cat([questions[i] @ answers.T, questions[i] @ negatives[i, : [2, 1, 0][i]].T]) * 20 for i in range(3)
    ]
    expected = torch.stack([torch.logsumexp(scores[i], 0) - scores[i][i] for i in range(3)]).mean()
    torch.testing.assert_close(loss(questions[:, None], answers, torch.arange(3), negatives), expected)
    without = loss(questions[:, None], answers, torch.arange(3))
    torch.testing.assert_close(loss(questions[:, None], answers, torch.arange(3), negatives * 0), without)


def test_cosine_loss_compares_with_the_teachers_answer():
    questions, answers = vectors(4, 24), vectors(4, 24, seed=1)
    model = random_model(CubeConfig(embedding_dim=24))
    mapped = model(questions).embeddings
    expected = 1 - torch.cosine_similarity(mapped, answers).mean()
    alone = loss_of(model, cosine_weight=1.0)(questions[:, None], answers, torch.arange(4))
    torch.testing.assert_close(alone, expected)
    contrastive = loss_of(model)(questions[:, None], answers, torch.arange(4))
    mixed = loss_of(model, cosine_weight=0.25)(questions[:, None], answers, torch.arange(4))
    torch.testing.assert_close(mixed, 0.75 * contrastive + 0.25 * expected)


def test_noise_is_added_only_in_training():
    loss, inputs = loss_of(CubeModel(CubeConfig(embedding_dim=24)), noise=0.3), vectors(3, 1, 24)
    arguments = (inputs, vectors(3, 24, seed=1), torch.arange(3))
    assert torch.equal(loss.eval()(*arguments), loss.eval()(*arguments))
    assert not torch.equal(loss.train()(*arguments), loss.train()(*arguments))


@pytest.mark.parametrize("mode", ["dialogue", "autoencoder"])
def test_cell_states_run_from_the_input_to_the_output(mode):
    model = random_model(CubeConfig(embedding_dim=24, lattice_size=[2, 3, 4], steps=3, mode=mode, code_size=5))
    inputs = vectors(6, 24)
    output = model(inputs, output_lattice=True)
    assert output.cell_states.shape == (6, 4, 2, 3, 4)
    assert torch.equal(output.cell_states[:, -1].flatten(1), output.embeddings)
    first = inputs if mode == "dialogue" else model.code.decode(output.code)
    assert torch.equal(output.cell_states[:, 0].flatten(1), first)
    assert model(inputs).cell_states is None


def test_gradient_checkpointing_changes_nothing():
    gradients = []
    for checkpointing in (False, True):
        model = random_model(CubeConfig(embedding_dim=24, context_turns=1, steps=3)).train()
        if checkpointing:
            # older supported versions of transformers only have the second name
            getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
        loss_of(model)(vectors(8, 2, 24), vectors(8, 24, seed=1), torch.arange(8)).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_compiles_without_graph_breaks():
    model, inputs = random_model(CubeConfig(embedding_dim=24, context_turns=1)), vectors(3, 2, 24)
    compiled = torch.compile(model.encode_questions, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(inputs), model.encode_questions(inputs))


def test_bfloat16_is_close_to_float32():
    model, inputs = random_model(CubeConfig(context_turns=1)), vectors(9, 2, 384)
    exact = model(inputs).embeddings
    rounded = model.to(torch.bfloat16)(inputs.to(torch.bfloat16)).embeddings
    assert rounded.dtype == torch.bfloat16
    assert torch.cosine_similarity(exact, rounded.float()).min() > 0.999


def test_untrained_autoencoder_equals_principal_component_analysis():
    from sklearn.decomposition import PCA

    model = CubeModel(CubeConfig(embedding_dim=24, mode="autoencoder", code_size=5)).eval()
    inputs = vectors(200, 24) * torch.linspace(2, 0.1, 24)
    model.start_from_principal_axes(inputs)
    pca = PCA(5).fit(inputs.numpy())
    expected = torch.from_numpy(pca.inverse_transform(pca.transform(inputs.numpy())))
    torch.testing.assert_close(model(inputs).embeddings, expected, atol=1e-5, rtol=1e-4)
    assert model(inputs).code.shape == (200, 5)
    torch.testing.assert_close(model.decode_code(model.encode_code(inputs)), model(inputs).embeddings)
    with pytest.raises(ValueError, match="only a core of mode 'autoencoder'"):
        CubeModel(CubeConfig(embedding_dim=24)).encode_code(inputs)


@pytest.mark.parametrize(
    ("options", "others"),
    [
        ({"context_turns": 1}, ["core.rule.read", "core.rule.read_bias", "core.rule.write"]),
        ({"mode": "autoencoder"}, ["code.mean", "code.read", "code.write"]),
    ],
)
def test_weight_names_stay_the_same(options, others):
    """Published cores are loaded by these names."""
    units = [f"core.units.{i}.{name}" for i in range(4) for name in ("read", "gate", "read_bias", "write")]
    assert list(CubeModel(CubeConfig(**options)).state_dict()) == ["core.bias", *units, *others]


def test_answers_are_unchanged_when_not_mapped():
    model, inputs = random_model(CubeConfig(map_answers=False)), vectors(3, 384)
    assert model.encode_answers(inputs) is inputs


def test_wrong_input_shapes_raise():
    model = CubeModel(CubeConfig(context_turns=1))
    for shape in [(2, 100), (2, 3, 384), (2, 0, 384), (384,)]:
        with pytest.raises(ValueError, match="expected"):
            model.encode_questions(torch.zeros(*shape))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "core"
    random_model(CubeConfig(context_turns=2, teacher={"name": "minilm"})).save_pretrained(folder)
    return folder


LOAD = """
import os, sys
import pandas, pyarrow, scipy.stats, sklearn.metrics, torch

def load(before, options, out):
    exec(before, {"sys": sys})
    from transformers import AutoModel
    model, report = AutoModel.from_pretrained(sys.argv[1], output_loading_info=True, **options)
    assert not any(report.values()), report
    inputs = torch.nn.functional.normalize(torch.ones(2, 3, 384), dim=-1)
    torch.save((model.eval()(inputs).embeddings, type(model).__module__), out)

for number, arguments in enumerate(CASES):
    if not os.fork():
        load(*arguments, f"{sys.argv[2]}/{number}.pt")
        os._exit(0)
    assert os.wait()[1] == 0, arguments
"""

CASES = [
    ("import cube_model", {}),
    ("from transformers import AutoConfig, AutoModel\nimport cube_model", {}),
    ("sys.modules['cube_model'] = None", {"trust_remote_code": True}),
]


@pytest.fixture(scope="module")
def loaded(saved, tmp_path_factory):
    """Embeddings and module of each case, from processes that share only the imports of libraries without models."""
    folder = tmp_path_factory.mktemp("loaded")
    command = [sys.executable, "-c", LOAD.replace("CASES", repr(CASES)), str(saved), str(folder)]
    environment = {**os.environ, "HF_HOME": str(folder / "home")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{number}.pt") for number in range(len(CASES))]


@pytest.mark.parametrize(
    ("case", "module"),
    enumerate(["cube_model.core.modeling_cube", "cube_model.core.modeling_cube", "transformers_modules"]),
)
def test_loads_in_a_fresh_process(saved, loaded, case, module):
    """The package is imported before or after the auto classes, or the core loads as remote code without it."""
    embeddings, loaded_module = loaded[case]
    assert loaded_module.startswith(module)
    inputs = normalize(torch.ones(2, 3, 384), dim=-1)
    torch.testing.assert_close(embeddings, CubeModel.from_pretrained(saved).eval()(inputs).embeddings)
    assert CubeModel.from_pretrained(saved).config.teacher == {"name": "minilm"}


def test_import_does_not_load_heavy_libraries():
    code = "import sys, cube_model, cube_model.cli; print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_public_names_can_be_imported():
    import cube_model

    assert {"CubeModel", "CubeTrainer", "CubeRetriever", "Teacher", "EmbeddingCache"} <= set(cube_model.__all__)
    for name in cube_model.__all__:
        assert getattr(cube_model, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Sphere'"):
        _ = cube_model.Sphere


@pytest.mark.parametrize("license", ["LicenseRef-private", "unknown"])
def test_push_to_hub_of_transformers_refuses_restricted_data(tmp_path, license):
    """The check is where this project is installed; nothing is sent, not even the name of the repository."""
    config = CubeConfig(embedding_dim=8, training={"sources": ["faq"], "licenses": {"faq": [license]}})
    model = random_model(config)
    with pytest.raises(ValueError, match=rf"faq \({license}\); nothing was pushed"):
        model.push_to_hub("org/core")
    model.config.training = {}
    model.save_pretrained(tmp_path / "core")
    (tmp_path / "core" / "training.json").write_text(
        f'{{"data": {{"licenses": {{"faq": "{license}"}}, "sources": ["faq"]}}}}'
    )
    with pytest.raises(ValueError, match="nothing was pushed"):
        CubeModel.from_pretrained(tmp_path / "core").push_to_hub("org/core")

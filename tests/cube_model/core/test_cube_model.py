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


def shaken(config, seed=0):
    """A model whose weights are all random: as after training."""
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
def test_lattice_is_the_most_cubic_one(cells, sides):
    assert cubic_lattice(cells) == sides
    assert CubeConfig(embedding_dim=cells).lattice_size == sides


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lattice_size": [8, 8, 8]}, "8 x 8 x 8 has 512 cells"),
        ({"lattice_size": [8, 48]}, "three sides"),
        ({"embedding_dim": 0}, "embedding_dim is 0"),
        ({"steps": 0}, "steps is 0"),
        ({"global_units": 0, "plane_units": 0}, "could not exchange"),
        ({"mode": "generator"}, "mode is 'generator'"),
        ({"mode": "autoencoder", "code_size": 0}, "code_size is 0"),
    ],
)
def test_impossible_shapes_are_named(options, words):
    with pytest.raises(StrictDataclassError, match=words):
        CubeConfig(**options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("options", [{}, {"context_turns": 2}, {"plane_units": 0, "cell_channels": 0, "steps": 3}])
def test_untrained_core_is_exactly_the_identity(options, dtype):
    model = CubeModel(CubeConfig(**options)).to(dtype).eval()
    given = vectors(5, 1 + options.get("context_turns", 0), 384).to(dtype)
    output = model(given, given[:, 0])
    assert torch.equal(output.embeddings, given[:, 0])
    assert torch.equal(output.answer_embeddings, given[:, 0])


def test_a_trained_core_is_not_the_identity_and_reads_earlier_turns():
    model = shaken(CubeConfig(context_turns=2))
    given = vectors(4, 3, 384)
    without = given.clone()
    without[:, 2] = 0
    assert not torch.allclose(model(given).embeddings, given[:, 0], atol=1e-3)
    assert not torch.allclose(model(given).embeddings, model(without).embeddings, atol=1e-4)
    # a turn that is not given is a turn of zeros
    assert torch.equal(model(without).embeddings, model(given[:, :2]).embeddings)
    assert torch.equal(model(given[:, 0]).embeddings, model(given[:, :1]).embeddings)


def test_rows_of_a_batch_do_not_touch_each_other():
    model, given = shaken(CubeConfig(context_turns=1)), vectors(9, 2, 384)
    alone = torch.cat([model(row[None]).embeddings for row in given])
    torch.testing.assert_close(model(given).embeddings, alone, atol=1e-5, rtol=1e-5)


def test_every_cell_hears_every_cell_through_planes_alone():
    """Two steps over planes join all cells: any two cells lie in planes that cross."""
    model = shaken(CubeConfig(embedding_dim=48, global_units=0, plane_units=2, cell_channels=0, steps=2))
    given = vectors(1, 48).requires_grad_()
    jacobian = torch.autograd.functional.jacobian(lambda x: model(x).embeddings[0], given)[:, 0]
    assert (jacobian.abs() > 0).all()
    one_step = shaken(CubeConfig(embedding_dim=48, global_units=0, plane_units=2, cell_channels=0, steps=1))
    jacobian = torch.autograd.functional.jacobian(lambda x: one_step(x).embeddings[0], given)[:, 0]
    assert (jacobian == 0).any()


def test_scatter_is_the_inverse_of_gather():
    model, state = CubeModel(CubeConfig(embedding_dim=60, lattice_size=[3, 4, 5])), vectors(7, 60)
    planes = [units for units in model.core.units if units.axis is not None]
    assert len(planes) == 3
    for units in planes:
        assert torch.equal(units.scatter(units.gather(state.T[None].contiguous())).reshape(60, 7), state.T)


@pytest.mark.parametrize("columns", [7, 16384])
def test_the_rule_of_a_cell_is_a_small_network_with_its_gradients(columns, monkeypatch):
    monkeypatch.setattr(modeling_cube, "_COLUMNS", columns)  # parts that do not come out even
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
    wanted = torch.randn_like(expected)
    inputs = [turns, *rule.parameters()]
    found = torch.autograd.grad(rule(turns), inputs, wanted)
    for gradient, true in zip(found, torch.autograd.grad(expected, inputs, wanted), strict=True):
        torch.testing.assert_close(gradient, true)


def loss_of(model, **options):
    return DialogueLoss(model, **{"noise": 0.0, "temperature": 20.0, "cosine_weight": 0.0, **options})


@pytest.mark.parametrize("cosine_weight", [0.0, 0.3])
def test_all_weights_learn(cosine_weight):
    loss = loss_of(shaken(CubeConfig(embedding_dim=24, context_turns=1)), cosine_weight=cosine_weight).train()
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


def test_hard_negatives_are_wrong_answers_of_their_question_alone():
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


def test_the_cosine_part_compares_with_the_teachers_own_answer():
    questions, answers = vectors(4, 24), vectors(4, 24, seed=1)
    model = shaken(CubeConfig(embedding_dim=24))
    mapped = model(questions).embeddings
    expected = 1 - torch.cosine_similarity(mapped, answers).mean()
    alone = loss_of(model, cosine_weight=1.0)(questions[:, None], answers, torch.arange(4))
    torch.testing.assert_close(alone, expected)
    contrastive = loss_of(model)(questions[:, None], answers, torch.arange(4))
    mixed = loss_of(model, cosine_weight=0.25)(questions[:, None], answers, torch.arange(4))
    torch.testing.assert_close(mixed, 0.75 * contrastive + 0.25 * expected)


def test_noise_is_only_there_while_training():
    loss, given = loss_of(CubeModel(CubeConfig(embedding_dim=24)), noise=0.3), vectors(3, 1, 24)
    arguments = (given, vectors(3, 24, seed=1), torch.arange(3))
    assert torch.equal(loss.eval()(*arguments), loss.eval()(*arguments))
    assert not torch.equal(loss.train()(*arguments), loss.train()(*arguments))


@pytest.mark.parametrize("mode", ["dialogue", "autoencoder"])
def test_lattice_states_lead_from_the_given_vector_to_the_mapped_one(mode):
    model = shaken(CubeConfig(embedding_dim=24, lattice_size=[2, 3, 4], steps=3, mode=mode, code_size=5))
    given = vectors(6, 24)
    output = model(given, output_lattice=True)
    assert output.cell_states.shape == (6, 4, 2, 3, 4)
    assert torch.equal(output.cell_states[:, -1].flatten(1), output.embeddings)
    first = given if mode == "dialogue" else model.code.decode(output.code)
    assert torch.equal(output.cell_states[:, 0].flatten(1), first)
    assert model(given).cell_states is None


def test_gradient_checkpointing_changes_nothing():
    gradients = []
    for checkpointing in (False, True):
        model = shaken(CubeConfig(embedding_dim=24, context_turns=1, steps=3)).train()
        if checkpointing:
            # the oldest transformers allowed knows the earlier name only
            getattr(model, "activation_checkpointing_enable", model.gradient_checkpointing_enable)()
        loss_of(model)(vectors(8, 2, 24), vectors(8, 24, seed=1), torch.arange(8)).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_compiles_without_a_break():
    model, given = shaken(CubeConfig(embedding_dim=24, context_turns=1)), vectors(3, 2, 24)
    compiled = torch.compile(model.encode_questions, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(given), model.encode_questions(given))


def test_bfloat16_is_near_float32():
    model, given = shaken(CubeConfig(context_turns=1)), vectors(9, 2, 384)
    exact = model(given).embeddings
    rounded = model.to(torch.bfloat16)(given.to(torch.bfloat16)).embeddings
    assert rounded.dtype == torch.bfloat16
    assert torch.cosine_similarity(exact, rounded.float()).min() > 0.999


def test_an_untrained_autoencoder_is_principal_component_analysis():
    from sklearn.decomposition import PCA

    model = CubeModel(CubeConfig(embedding_dim=24, mode="autoencoder", code_size=5)).eval()
    given = vectors(200, 24) * torch.linspace(2, 0.1, 24)
    model.start_from_principal_axes(given)
    pca = PCA(5).fit(given.numpy())
    expected = torch.from_numpy(pca.inverse_transform(pca.transform(given.numpy())))
    torch.testing.assert_close(model(given).embeddings, expected, atol=1e-5, rtol=1e-4)
    assert model(given).code.shape == (200, 5)
    torch.testing.assert_close(model.decode_code(model.encode_code(given)), model(given).embeddings)
    with pytest.raises(ValueError, match="only a core of mode 'autoencoder'"):
        CubeModel(CubeConfig(embedding_dim=24)).encode_code(given)


def test_answers_stay_as_they_are_when_not_mapped():
    model, given = shaken(CubeConfig(map_answers=False)), vectors(3, 384)
    assert model.encode_answers(given) is given


def test_wrong_shapes_are_named():
    model = CubeModel(CubeConfig(context_turns=1))
    for shape in [(2, 100), (2, 3, 384), (2, 0, 384), (384,)]:
        with pytest.raises(ValueError, match="expected"):
            model.encode_questions(torch.zeros(*shape))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "core"
    shaken(CubeConfig(context_turns=2, teacher={"name": "minilm"})).save_pretrained(folder)
    return folder


LOAD = """
import sys, torch
{before}
from transformers import AutoModel
model, report = AutoModel.from_pretrained(sys.argv[1], output_loading_info=True{options})
assert not any(report.values()), report
given = torch.nn.functional.normalize(torch.ones(2, 3, 384), dim=-1)
torch.save((model.eval()(given).embeddings, type(model).__module__), sys.argv[2])
"""


@pytest.mark.parametrize(
    ("before", "options", "module"),
    [
        ("import cube_model", "", "cube_model.core.modeling_cube"),
        ("from transformers import AutoConfig, AutoModel\nimport cube_model", "", "cube_model.core.modeling_cube"),
        ("sys.modules['cube_model'] = None", ", trust_remote_code=True", "transformers_modules"),
    ],
)
def test_loads_in_a_fresh_process(saved, tmp_path, monkeypatch, before, options, module):
    """With the package imported first or last; and as remote code where importing the package fails."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    result = tmp_path / "result.pt"
    code = LOAD.format(before=before, options=options)
    subprocess.run([sys.executable, "-c", code, str(saved), str(result)], check=True, capture_output=True)
    embeddings, loaded_module = torch.load(result)
    assert loaded_module.startswith(module)
    given = normalize(torch.ones(2, 3, 384), dim=-1)
    torch.testing.assert_close(embeddings, CubeModel.from_pretrained(saved).eval()(given).embeddings)
    assert CubeModel.from_pretrained(saved).config.teacher == {"name": "minilm"}


def test_importing_the_package_and_its_commands_is_light():
    code = "import sys, cube_model, cube_model.cli; print([m for m in ('torch', 'transformers', 'datasets') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_public_names_are_there():
    import cube_model

    assert {"CubeModel", "CubeTrainer", "CubeRetriever", "Teacher", "EmbeddingCache"} <= set(cube_model.__all__)
    for name in cube_model.__all__:
        assert getattr(cube_model, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Sphere'"):
        _ = cube_model.Sphere

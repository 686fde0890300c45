import copy
import inspect
import math
import warnings

import pytest
import torch

import minigpt as mg
from minigpt.model import POSITIONS
from minigpt.model.config import MLPS

PARTS = {
    "n_kv_heads": [None, 1, 2],
    "position": list(POSITIONS),
    "norm": ["layer", "rms"],
    "norm_placement": ["pre", "post"],
    "qk_norm": [False, True],
    "mlp": list(MLPS),
    "bias": [True, False],
    "tied_head": [True, False],
    "window": [None, 3],
}


def config(**changes):
    small = {"vocab_size": 17, "context_length": 24, "d_model": 16, "n_heads": 2, "n_layers": 2}
    return mg.GPTConfig(**{**small, **changes})


@pytest.mark.parametrize(("part", "choice"), [(part, choice) for part, all_of in PARTS.items() for choice in all_of])
def test_every_part_trains_and_equals_the_formula(part, choice, assert_near):
    ids = torch.randint(0, 17, (2, 9))
    models = {}
    for attention in ("formula", "auto"):
        generator = torch.Generator().manual_seed(1)
        models[attention] = mg.GPT(config(**{part: choice}, attention=attention), generator=generator).double()
    logits = {name: model(ids) for name, model in models.items()}
    assert logits["auto"].shape == (2, 9, 17)
    assert_near(logits["auto"], logits["formula"])
    mg.next_token_loss(logits["auto"], ids).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in models["auto"].parameters())


def test_the_logits_have_one_shape_and_depend_on_the_ids_alone():
    assert list(inspect.signature(mg.GPT.forward).parameters) == ["self", "ids", "cache"]
    for changes in ({}, {"position": "rope-half", "tied_head": False}, {"norm_placement": "post"}):
        model = mg.GPT(config(**changes))
        for shape in ((1, 1), (3, 9), (2, 24)):
            for mode in (True, False):
                assert model.train(mode)(torch.randint(0, 17, shape)).shape == (*shape, 17)


@pytest.mark.parametrize(("part", "choice"), [(part, choice) for part, all_of in PARTS.items() for choice in all_of])
def test_the_head_of_the_features_is_the_logits_to_the_last_bit(part, choice):
    model, ids = mg.GPT(config(**{part: choice})), torch.randint(0, 17, (2, 9))
    features, stream = model.features(ids), model.residual_stream(ids)
    assert features.shape == stream.shape == (2, 9, 16)
    assert torch.equal(model.head(features), model(ids))
    assert torch.equal(model.norm(stream), features)
    assert torch.equal(stream, features) == (part == "norm_placement" and choice == "post")


@pytest.mark.parametrize("attention", ["formula", "sdpa"])
@pytest.mark.parametrize("placement", ["pre", "post"])
@pytest.mark.parametrize("position", POSITIONS)
def test_changing_a_token_leaves_earlier_logits_bit_identical(position, placement, attention):
    model = mg.GPT(config(position=position, norm_placement=placement, attention=attention))
    ids = torch.randint(0, 17, (3, 24))
    before = model(ids)
    for t in (0, 7, 22):
        changed = ids.clone()
        changed[:, t + 1] = (changed[:, t + 1] + 1) % 17
        after = model(changed)
        assert torch.equal(before[:, : t + 1], after[:, : t + 1])
        assert not torch.equal(before[:, t + 1], after[:, t + 1])


@pytest.mark.parametrize("position", [name for name in POSITIONS if name != "none"])
def test_every_position_scheme_tells_the_order(position):
    model = mg.GPT(config(position=position, window=None)).eval()
    ids = torch.tensor([[1, 2, 3, 4, 5], [3, 1, 2, 4, 5]])
    last = model(ids)[:, -1]
    assert (last[0] - last[1]).abs().max() > 1e-7


def test_without_positions_one_layer_cannot_tell_the_order_of_the_past():
    model = mg.GPT(config(position="none", n_layers=1)).double().eval()
    ids = torch.tensor([[1, 2, 3, 4, 5], [3, 1, 2, 4, 5]])
    last = model(ids)[:, -1]
    torch.testing.assert_close(last[0], last[1])


def test_the_logits_agree_with_transformers_gpt2(assert_near):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # transformers warns of its own future
        from transformers import GPT2Config, GPT2LMHeadModel

        peer = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=17, n_positions=24, n_embd=16, n_layer=2, n_head=2, bos_token_id=None, eos_token_id=None
            )
        )
    peer = peer.double().eval()
    ours = mg.GPT(config()).double().eval()
    copy_weights(peer, ours)
    ids = torch.randint(0, 17, (2, 24))
    with torch.no_grad():
        assert_near(ours(ids), peer(input_ids=ids).logits)


def copy_weights(peer, ours):
    """transformers keeps its matrices as (in, out), ours are (out, in)."""
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter.normal_(0, 0.2)
        theirs = dict(peer.transformer.named_parameters())
        ours.token_embedding.weight.copy_(theirs["wte.weight"])
        ours.position.embedding.weight.copy_(theirs["wpe.weight"])
        norms = [(ours.norm, "ln_f")]
        linears = []
        for i, block in enumerate(ours.blocks):
            norms += [(block.norm_1, f"h.{i}.ln_1"), (block.norm_2, f"h.{i}.ln_2")]
            linears += [(block.attention.project_qkv, f"h.{i}.attn.c_attn"), (block.mlp.expand, f"h.{i}.mlp.c_fc")]
            linears += [(block.attention.project_out, f"h.{i}.attn.c_proj"), (block.mlp.contract, f"h.{i}.mlp.c_proj")]
        for norm, name in norms:
            norm.gain.copy_(theirs[f"{name}.weight"])
            norm.shift.copy_(theirs[f"{name}.bias"])
        for linear, name in linears:
            linear.weight.copy_(theirs[f"{name}.weight"].T)
            linear.bias.copy_(theirs[f"{name}.bias"])


@pytest.mark.parametrize(
    ("preset", "count"),
    [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168), ("gpt2-large", 774_030_080), ("gpt2-xl", 1_557_611_200)],
)
def test_the_gpt2_presets_have_the_published_number_of_parameters(preset, count):
    with torch.device("meta"):
        assert mg.GPT(mg.GPTConfig.preset(preset)).n_parameters == count


def test_the_initial_weights_have_gpt2s_deviations():
    model = mg.GPT(
        config(vocab_size=500, d_model=128, n_layers=3, n_heads=4), generator=torch.Generator().manual_seed(0)
    )
    residual = 0.02 / math.sqrt(6)
    for name, parameter in model.named_parameters():
        if name.endswith(("project_out.weight", "contract.weight")):
            assert parameter.std().item() == pytest.approx(residual, rel=0.03), name
        elif name == "position.embedding.weight":
            assert parameter.std().item() == pytest.approx(0.01, rel=0.05), name
        elif parameter.dim() == 2:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.03), name
        else:
            assert parameter.unique().item() == (1 if name.endswith("gain") else 0), name


def test_the_first_loss_is_that_of_guessing():
    model = mg.GPT(config(vocab_size=100, d_model=64))
    ids = torch.randint(0, 100, (4, 25))
    assert mg.next_token_loss(model(ids[:, :-1]), ids[:, 1:]).item() == pytest.approx(math.log(100), abs=0.1)


def test_the_same_generator_gives_the_same_weights():
    first, second, third = (mg.GPT(config(), generator=torch.Generator().manual_seed(s)) for s in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.head.weight, third.head.weight)


def test_a_tied_head_is_the_embedding_and_counts_once():
    tied, untied = mg.GPT(config()), mg.GPT(config(tied_head=False))
    assert tied.head.weight is tied.token_embedding.weight
    assert untied.n_parameters - tied.n_parameters == 17 * 16


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (torch.zeros(5, dtype=torch.int64), r"ids have shape \(5,\).*ids.unsqueeze\(0\)"),
        (torch.zeros(1, 5), r"dtype torch.float32; expected \(B, T\)"),
        (
            torch.zeros(1, 25, dtype=torch.int64),
            r"got 25 tokens; this model takes 1 to context_length=24.*ids\[:, -24:\]",
        ),
        (torch.zeros(1, 0, dtype=torch.int64), "got 0 tokens"),
        (torch.tensor([[3, 17]]), "ids run from 3 to 17, but vocab_size=17 allows 0 to 16: is the tokenizer the one"),
        (torch.tensor([[-1, 2]]), "ids run from -1 to 2"),
        ([[3, 1]], r"ids are a list; expected a tensor \(B, T\) int64, as torch.tensor\(\[\[0, 1\]\]\)"),
    ],
)
def test_ids_that_the_model_cannot_take_are_refused(ids, message):
    with pytest.raises(ValueError, match=message):
        mg.GPT(config())(ids)


def other_state():
    return mg.GPT(config(), generator=torch.Generator().manual_seed(5)).state_dict()


@pytest.mark.parametrize("left_out", [None, "head.weight", "token_embedding.weight"])
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "as a part"])
@pytest.mark.parametrize("assign", [False, True])
def test_a_state_that_is_loaded_leaves_the_head_tied(assign, wrapped, left_out):
    model, state = mg.GPT(config()), other_state()
    expected, count = state["head.weight"].clone(), model.n_parameters
    state.pop(left_out, None)
    outer = torch.nn.ModuleDict({"inner": model}) if wrapped else model
    outer.load_state_dict(
        {f"inner.{name}": value for name, value in state.items()} if wrapped else state, assign=assign
    )
    assert model.has_tied_head and model.n_parameters == count
    assert torch.equal(model.token_embedding.weight, expected)


def test_a_state_with_two_matrices_for_a_tied_head_is_refused():
    state = other_state() | {"head.weight": torch.zeros(17, 16)}
    with pytest.raises(
        RuntimeError, match=r"head\.weight is not token_embedding\.weight.*build it with tied_head=False"
    ):
        mg.GPT(config()).load_state_dict(state, assign=True)
    untied = mg.GPT(config(tied_head=False))
    untied.load_state_dict(state, assign=True)
    assert not untied.has_tied_head and (untied.head.weight == 0).all()


def test_a_model_that_gets_new_weights_or_is_copied_stays_tied():
    with torch.device("meta"):
        model = mg.GPT(config())
    for made in (model.to_empty(device="cpu"), copy.deepcopy(model), model.double()):
        assert made.has_tied_head
        made.load_state_dict(other_state(), assign=True)
        assert made.has_tied_head


def test_a_head_of_ones_own_is_left_alone():
    model = mg.GPT(config())
    model.head = torch.nn.Linear(16, 17)
    model.load_state_dict(model.double().state_dict(), assign=True)
    assert not model.has_tied_head


@pytest.mark.parametrize(
    "changes", [{"window": 3, "convolution": 2}, {"window": 5, "convolution": 4, "position": "alibi"}]
)
def test_a_model_is_exported_for_every_length_from_2(changes):
    model = mg.GPT(config(n_layers=1, **changes)).eval()
    torch.nn.init.normal_(model.blocks[0].convolution.taps)
    sizes = {0: torch.export.Dim("B", max=8), 1: torch.export.Dim("T", min=2, max=24)}
    exported = torch.export.export(model, (torch.randint(17, (2, 12)),), dynamic_shapes=(sizes,)).module()
    for length in range(2, 25):
        ids = torch.randint(17, (3, length))
        torch.testing.assert_close(exported(ids), model(ids))


def test_vmap_over_ids_is_the_model_on_each():
    model, ids = mg.GPT(config(attention="formula")).eval(), torch.randint(17, (3, 2, 5))
    torch.testing.assert_close(torch.vmap(model)(ids), torch.stack([model(each) for each in ids]))
    with pytest.raises(ValueError, match="vocab_size=17 allows 0 to 16"):
        torch.vmap(model)(ids + 17)

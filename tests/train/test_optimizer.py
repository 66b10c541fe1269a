"""Which weights decay, and the learning rate of each."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from pipeline.model.audio import HeadedAudioTower, VectorTower
from pipeline.model.fusion import FusionTower
from pipeline.model.retrieval import RetrievalModel
from pipeline.train.optimizer import make_optimizer
from tests.train.recipe import MODEL, TRAIN

PARAMS = replace(TRAIN, weight_decay=0.5, learning_rate=0.02, encoder_learning_rate=0.001)


@pytest.fixture
def model():
    tower = VectorTower(6, MODEL.audio.width)
    towers = FusionTower(MODEL, {"image": 4}), HeadedAudioTower(MODEL, tower)
    return RetrievalModel(MODEL, ["image"], *towers, {"image": nn.Linear(4, 4)})


def test_matrices_decay_and_vectors_do_not_and_encoders_have_their_rate(model):
    optimizer = make_optimizer(model, PARAMS, torch.device("cpu"))
    names = {id(weight): name for name, weight in model.named_parameters()}
    found = {names[id(w)]: group for group in optimizer.param_groups for w in group["params"]}
    assert found.keys() == set(names.values())
    for name, weight in model.named_parameters():
        assert found[name]["weight_decay"] == (0.5 if weight.ndim > 1 else 0.0), name
        assert found[name]["highest"] == found[name]["lr"] == (0.001 if name.startswith("encoders.") else 0.02), name
    assert found["logit_scale"]["weight_decay"] == found["query_tower.head.1.weight"]["weight_decay"] == 0.0


@pytest.mark.parametrize(("name", "cls"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam)])
def test_optimizer_is_the_one_that_params_name(model, name, cls):
    assert type(make_optimizer(model, replace(PARAMS, optimizer=name), torch.device("cpu"))) is cls

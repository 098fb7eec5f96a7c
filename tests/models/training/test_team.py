"""Two processes that train together: same weights on both, the mean of what each learned, one of them in the lead."""

import multiprocessing
import os
import socket

import pytest
import torch
from torch import nn

from models.training.team import Team

CPU = torch.device("cpu")


def _member(rank, port, answers):
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(1)
    team = Team.joined(CPU)
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    layer(torch.full((1, 3), float(rank + 1))).sum().backward()
    team.average(layer)
    answers.put((rank, team.leads, layer.weight.grad.tolist(), layer.bias.grad.tolist(), team.agreed(0.25 + rank)))


def test_gradients_are_averaged_and_the_first_one_leads():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    members = [context.Process(target=_member, args=(rank, port, answers)) for rank in range(2)]
    for member in members:
        member.start()
    told = sorted(answers.get(timeout=120) for _ in members)
    for member in members:
        member.join(timeout=30)
    assert told == [(0, True, [[1.5, 1.5, 1.5]], [1.0], 0.25), (1, False, [[1.5, 1.5, 1.5]], [1.0], 0.25)]


def test_alone_nothing_changes(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    team = Team.joined(CPU)
    layer = nn.Linear(2, 1)
    layer(torch.ones(1, 2)).sum().backward()
    before = layer.weight.grad.clone()
    team.average(layer)
    assert team.leads
    assert team.agreed(0.5) == pytest.approx(0.5)
    torch.testing.assert_close(layer.weight.grad, before)

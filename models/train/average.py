"""Averages the weights of several states of one run, which reads better than any of them. usage: average.py OUT.pt IN.pt IN.pt ..."""
import sys

import torch

states = [torch.load(path) for path in sys.argv[2:]]
mean = {}
for key, value in states[0].items():
    mean[key] = (sum(state[key].float() for state in states) / len(states)).to(value.dtype)
torch.save(mean, sys.argv[1])

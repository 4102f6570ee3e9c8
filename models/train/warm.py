"""Takes the weights out of an exported reader, so that training can go on from the committed file."""
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn


def load(net, path, pictures):
    """Fills `net` from the ONNX file at `path`.

    The export folded each normalisation into the convolution before it. It is taken apart again: statistics are measured
    on `pictures` (prepared as for training), scale and shift chosen so that the network computes the same as before.
    """
    graph = onnx.load(path).graph
    stored = {t.name: torch.from_numpy(numpy_helper.to_array(t).astype(np.float32)) for t in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            stored[node.output[0]] = stored[node.input[0]]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    layers = [m for m in net.modules() if isinstance(m, (nn.Conv1d, nn.Conv2d))]
    norms = [m for m in net.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))]
    assert len(convolutions) == len(layers) == len(norms) + 1, "the file is of another network than net.py describes"
    with torch.no_grad():
        for node, layer in zip(convolutions, layers):
            layer.weight.copy_(stored[node.input[1]])
        layers[-1].bias.copy_(stored[convolutions[-1].input[2]])
        seen = {}
        for node, norm in zip(convolutions, norms):
            norm.running_mean.zero_()
            norm.running_var.fill_(1 - norm.eps)
            norm.weight.fill_(1)
            norm.bias.copy_(stored[node.input[2]])
            norm.register_forward_pre_hook(lambda n, x: seen.__setitem__(n, x[0].detach().transpose(0, 1).flatten(1)))
        net.eval()
        net(pictures)
        for norm in norms:
            mean, var = seen[norm].mean(1), seen[norm].var(1)
            norm.bias.add_(mean)
            norm.weight.copy_((var + norm.eps).sqrt())
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(var)
            norm._forward_pre_hooks.clear()

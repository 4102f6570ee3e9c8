"""Writes the trained reader as ONNX. usage: export.py READER.pt OUT.onnx"""
import sys

import torch

from net import Reader

net = Reader()
net.load_state_dict(torch.load(sys.argv[1]))
net.eval()
torch.onnx.export(net, torch.zeros(1, 1, 64, 160), sys.argv[2], input_names=["plate"], output_names=["steps"], opset_version=17,
                  dynamic_axes={"plate": {0: "n"}, "steps": {0: "n"}}, dynamo=False)

# Weights are stored in half precision (a file of half the size) and brought back to single when the model is loaded.
import numpy as np
import onnx
from onnx import helper, numpy_helper

model = onnx.load(sys.argv[2])
casts = []
for tensor in list(model.graph.initializer):
    if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) > 64:
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name + "_half")
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=onnx.TensorProto.FLOAT))
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(half)
nodes = list(model.graph.node)
del model.graph.node[:]
model.graph.node.extend(casts + nodes)
model.producer_name, model.producer_version = "", ""
onnx.checker.check_model(model)
onnx.save(model, sys.argv[2])

"""Makes the reader of 8 bits: weights per filter with 64 steps a side (docs/adr/0011), values in between by ranges measured on
drawn plates that no run of the training has seen. The first layer and the last stay in floats.

usage: eight_bit.py FONTS_DIR READER.onnx OUT.onnx [--seed 55501]     needs: pip install onnxruntime onnx
"""
import argparse
import os
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static

import glyphs
import samples

BATCHES = 4


def standard(pictures):
    x = pictures.astype(np.float32)
    mean, std = x.mean((1, 2), keepdims=True), x.std((1, 2), keepdims=True)
    return ((x - mean) / np.maximum(std, 8))[:, None]


class Drawn(CalibrationDataReader):
    def __init__(self, fonts, seed):
        pool = glyphs.styles(fonts, 150, 1)
        weights = np.array([weight for weight, _ in pool])
        styles, weights = [style for _, style in pool], weights / weights.sum()
        batches = (samples.batch((seed, n), 64, styles, weights, 1.0)[0] for n in range(BATCHES))
        self.batches = iter([{"plate": standard(batch)} for batch in batches])

    def get_next(self):
        return next(self.batches, None)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("fonts")
    a.add_argument("reader")
    a.add_argument("out")
    a.add_argument("--seed", type=int, default=55501)
    a = a.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # What can be worked out beforehand is: weights in single precision again, normalisations inside convolutions.
        folded = os.path.join(folder, "folded.onnx")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = folded
        onnxruntime.InferenceSession(a.reader, options, providers=["CPUExecutionProvider"])
        model = onnx.load(folded)
        for n, node in enumerate(model.graph.node):
            node.name = node.name or f"n{n}"
        onnx.save(model, folded)
        convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
        quantize_static(folded, a.out, Drawn(a.fonts, a.seed), quant_format=QuantFormat.QDQ, per_channel=True,
                        reduce_range=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
                        op_types_to_quantize=["Conv", "Relu", "Add", "MaxPool"],
                        nodes_to_exclude=[convolutions[0], convolutions[-1]], calibrate_method=CalibrationMethod.MinMax)
    model = onnx.load(a.out)
    model.producer_name, model.producer_version = "", ""
    del model.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, a.out)


if __name__ == "__main__":
    main()

"""The plate reader's network: a small convolutional stack over the whole plate, read out as two rows for CTC.

Input [N, 1, 64, 160], grey, each picture brought to mean 0 and deviation 1. Output [N, 80, 34]: log-probabilities of 40
columns as the upper row sees them, then 40 as the lower row does; class 0 is CTC's blank, the rest is ALPHABET in order.
A one-line plate is written into the upper 40, the lower ones stay blank.
"""
import torch
from torch import nn

from glyphs import ALPHABET

CLASSES = len(ALPHABET) + 1


def block(inputs, outputs, stride=1):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(block(width, width), nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        return torch.relu(x + self.body(x))


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 24, 5, 2, 2, bias=False), nn.BatchNorm2d(24), nn.ReLU(inplace=True))   # 32x80
        self.body = nn.Sequential(
            block(24, 32), nn.MaxPool2d(2),                      # 16x40
            block(32, 64), Residual(64), nn.MaxPool2d((2, 1)),   # 8x40
            block(64, 96), Residual(96),
        )
        self.fold = nn.Sequential(nn.Conv2d(96, 2 * 96, (8, 1), bias=False), nn.BatchNorm2d(192), nn.ReLU(inplace=True))  # 1x40
        # Each row looks along itself; the other row's features come in beside it.
        self.along = nn.Sequential(nn.Conv1d(192, 192, 5, padding=2, bias=False), nn.BatchNorm1d(192), nn.ReLU(inplace=True))
        self.drop = nn.Dropout(0.1)
        self.out = nn.Conv1d(192, 2 * CLASSES, 3, padding=1)

    def forward(self, x):
        x = self.fold(self.body(self.stem(x))).squeeze(2)
        x = self.out(self.drop(x + self.along(x)))
        n, _, t = x.shape
        x = x.view(n, 2, CLASSES, t).permute(0, 1, 3, 2).reshape(n, 2 * t, CLASSES)
        return x.log_softmax(2)

"""Pictures with drawn plates and writing on them, for measuring what the finder of rows reckons with inside (see
`vong-models calibrate`): no photograph, no accuracy figure is taken from them. Deterministic in the seed.

usage: scenes.py OUT_DIR [--count 64] [--seed 1]
"""
import argparse
import os

import cv2
import numpy as np

import glyphs
from samples import degrade, no_plate, sample, texture

SIZES = [(480, 640), (640, 480), (360, 640), (576, 576)]


def scene(rng, styles, weights, hard):
    """A textured picture in colour with some ten plates and pieces of writing, large to small."""
    h, w = SIZES[rng.integers(len(SIZES))]
    grey = degrade(rng, np.clip(texture(rng, h, w), 0, 255).astype(np.float32), 0.3)
    grey = cv2.resize(grey, (w, h)).astype(np.float32)
    for _ in range(rng.integers(6, 14)):
        if rng.random() < 0.7:
            piece = sample(rng, styles, weights, 0.5)[0].astype(np.float32)
        else:
            piece = np.clip(no_plate(rng, styles), 0, 255).astype(np.float32)
        pw = int(np.exp(rng.uniform(np.log(40), np.log(300))))
        ph = max(10, int(pw / rng.choice([1.4, 1.4, 2.5, 4.5])))
        pw, ph = min(pw, w - 1), min(ph, h - 1)
        x, y = int(rng.integers(0, w - pw)), int(rng.integers(0, h - ph))
        grey[y:y + ph, x:x + pw] = cv2.resize(piece, (pw, ph), interpolation=cv2.INTER_AREA)
    if hard:  # what is black and white with edges sharpened by a camera asks for the widest ranges
        blurred = cv2.GaussianBlur(grey, (0, 0), 1.2)
        grey = (grey + 1.5 * (grey - blurred) - 127) * rng.uniform(1.3, 2.5) + 127
    tint = rng.uniform(0.6, 1.0, 3)
    return np.clip(grey[..., None] * (tint / tint.max()), 0, 255).astype(np.uint8)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("out")
    a.add_argument("--count", type=int, default=64)
    a.add_argument("--seed", type=int, default=1)
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    weighted = glyphs.styles("", 60, a.seed)
    weights, styles = np.array([w for w, _ in weighted]), [s for _, s in weighted]
    rng = np.random.default_rng(a.seed)
    for number in range(a.count):
        cv2.imwrite(os.path.join(a.out, f"scene-{number:02}.png"), scene(rng, styles, weights / weights.sum(), number % 2 == 1))


if __name__ == "__main__":
    main()

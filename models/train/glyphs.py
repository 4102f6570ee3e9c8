"""Glyph masks of plate characters: a stroke alphabet of our own and whatever free fonts are at hand.

A style is a dict from character to a float mask (height GLYPH_H, its own width, ink = 1). The stroke alphabet follows the
look of Vietnamese plates (narrow, even strokes, round ends) from a description, not from anybody's font file; its
proportions vary from style to style so that the reader learns the letters and not one drawing of them.
"""
import glob
import math
import os
import random

import cv2
import numpy as np

DIGITS = "0123456789"
LETTERS = "ABCDEFGHKLMNPQRSTUVXYZĐ"
ALPHABET = DIGITS + LETTERS
GLYPH_H = 96


def arc(cx, cy, rx, ry, start, end, steps=24):
    """Points of an elliptic arc; degrees, clockwise on the picture from the right-hand side."""
    out = []
    for i in range(steps + 1):
        a = math.radians(start + (end - start) * i / steps)
        out.append((cx + rx * math.cos(a), cy + ry * math.sin(a)))
    return out


def strokes(rng):
    """Strokes of every character in a unit box, with the proportions of one style."""
    r = rng.uniform(0.24, 0.34)           # height of a round end, as a share of the box
    mid = rng.uniform(0.46, 0.52)         # waist
    bar4 = rng.uniform(0.66, 0.76)
    flag = rng.uniform(0.14, 0.30)
    o = arc(0.5, r, 0.5, r, 180, 360) + arc(0.5, 1 - r, 0.5, r, 0, 180) + [(0, r)]
    low6 = mid - 0.06
    rb = (1 - low6) / 2
    six_bowl = arc(0.5, low6 + rb, 0.5, rb, 0, 360)
    straight6 = rng.random() < 0.5
    six = [six_bowl, [(0.78, 0.0), (0.03, low6 + rb * 0.75)]] if straight6 else \
        [arc(0.5, 1 - r, 0.5, r, 0, 180) + arc(0.5, r, 0.5, r, 180, 345), arc(0.5, low6 + r, 0.5, r, 180, 360) + [(1, 1 - r)]]
    nine = [[(1 - x, 1 - y) for x, y in s] for s in six]
    m_depth = rng.uniform(0.45, 0.75)
    d = [[(0, 0), (0.45, 0)] + arc(0.45, r, 0.55, r, 270, 360) + arc(0.45, 1 - r, 0.55, r, 0, 90) + [(0, 1), (0, 0)]]
    flat3 = rng.random() < 0.25
    glyphs = {
        "0": [o],
        "1": [[(0.05, flag), (0.62, 0.0), (0.62, 1.0)]],
        "2": [arc(0.5, r, 0.5, r, 190, 360) + [(0.97, r + 0.1), (0.02, 1.0), (1.0, 1.0)]],
        "3": [[(0.05, 0), (0.95, 0), (0.45, mid - 0.05)] + arc(0.45, (1 + mid) / 2 - 0.02, 0.55, (1 - mid) / 2 + 0.02, 270, 510)] if flat3 else
             [arc(0.5, mid / 2, 0.48, mid / 2, 195, 440) + [(0.4, mid)], [(0.4, mid)] + arc(0.5, (1 + mid) / 2, 0.5, (1 - mid) / 2, 280, 525)],
        "4": [[(0.5, 0), (0.0, bar4), (1.0, bar4)], [(0.7, rng.uniform(0.38, 0.52)), (0.7, 1.0)]] if rng.random() < 0.8 else
             [[(0.7, 1), (0.7, 0), (0, bar4), (1, bar4)]],
        "5": [[(0.92, 0), (0.12, 0), (0.05, 0.45)] + arc(0.48, 0.4 + (1 - 0.4) / 2, 0.52, 0.3, 230, 520)],
        "6": six,
        "7": [[(0, 0), (1.0, 0), (0.36, 1)]],
        "8": [arc(0.5, mid / 2, 0.46, mid / 2, 0, 360), arc(0.5, (1 + mid) / 2, 0.5, (1 - mid) / 2, 0, 360)],
        "9": nine,
        "A": [[(0, 1), (0.5, 0), (1, 1)], [(0.17, 0.68), (0.83, 0.68)]],
        "B": [[(0, mid), (0.5, mid)] + arc(0.5, (1 + mid) / 2, 0.5, (1 - mid) / 2, 270, 450) + [(0, 1), (0, 0), (0.48, 0)]
              + arc(0.48, mid / 2, 0.46, mid / 2, 270, 450)],
        "C": [arc(0.5, 1 - r, 0.5, r, 15, 180) + arc(0.5, r, 0.5, r, 180, 345)],
        "D": d,
        "Đ": d + [[(-0.18, 0.5), (0.4, 0.5)]],
        "E": [[(1, 0), (0, 0), (0, 1), (1, 1)], [(0, mid), (0.85, mid)]],
        "F": [[(1, 0), (0, 0), (0, 1)], [(0, mid), (0.82, mid)]],
        "G": [arc(0.5, r, 0.5, r, 345, 180) + arc(0.5, 1 - r, 0.5, r, 180, 0) + [(1, 0.54), (0.55, 0.54)]],
        "H": [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, mid), (1, mid)]],
        "K": [[(0, 0), (0, 1)], [(0.95, 0), (0, 0.62)], [(0.32, 0.42), (1, 1)]],
        "L": [[(0, 0), (0, 1), (1, 1)]],
        "M": [[(0, 1), (0, 0), (0.5, m_depth), (1, 0), (1, 1)]],
        "N": [[(0, 1), (0, 0), (1, 1), (1, 0)]],
        "P": [[(0, 1), (0, 0), (0.5, 0)] + arc(0.5, 0.27, 0.5, 0.27, 270, 450) + [(0, 0.54)]],
        "Q": [o, [(0.55, 0.75), (1.05, 1.05)]],
        "R": [[(0, 1), (0, 0), (0.5, 0)] + arc(0.5, 0.26, 0.5, 0.26, 270, 450) + [(0, 0.52)], [(0.5, 0.52), (1, 1)]],
        "S": [arc(0.5, mid / 2, 0.48, mid / 2, 345, 90) + arc(0.5, (1 + mid) / 2, 0.5, (1 - mid) / 2, 270, 525)],
        "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
        "U": [[(0, 0)] + arc(0.5, 1 - r, 0.5, r, 180, 0) + [(1, 0)]],
        "V": [[(0, 0), (0.5, 1), (1, 0)]],
        "X": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
        "Y": [[(0, 0), (0.5, mid), (1, 0)], [(0.5, mid), (0.5, 1)]],
        "Z": [[(0, 0), (1, 0), (0, 1), (1, 1)]],
    }
    return glyphs


def drawn_style(rng):
    """One style of the stroke alphabet."""
    weight = rng.uniform(0.095, 0.185) * GLYPH_H
    width = rng.uniform(0.36, 0.6)
    wide = {"M": rng.uniform(1.1, 1.45), "Đ": 1.05, "D": 1.0, "1": rng.uniform(0.5, 0.8), "A": 1.08, "V": 1.05}
    out = {}
    for char, lines in strokes(rng).items():
        inner = max(6.0, width * wide.get(char, 1.0) * GLYPH_H - weight)
        tall = GLYPH_H - weight
        pad = 0.2 * inner if char == "Đ" else 0
        mask = np.zeros((GLYPH_H, int(inner * (1.1 if char == "Q" else 1) + weight + pad + 3)), np.uint8)
        for line in lines:
            points = np.array([(weight / 2 + 1 + pad + x * inner, weight / 2 + y * tall) for x, y in line])
            cv2.polylines(mask, [np.round(points * 16).astype(np.int32)], False, 255, int(round(weight)), cv2.LINE_AA, 4)
        out[char] = trim(mask)
    return out


def trim(mask):
    """Cut the columns without ink."""
    columns = np.where(mask.max(axis=0) > 60)[0]
    return mask[:, columns[0]:columns[-1] + 1] if len(columns) else mask


def font_style(path, squeeze):
    """A style from a font file, its capitals brought to GLYPH_H and squeezed sideways; None where glyphs are missing."""
    from PIL import Image, ImageDraw, ImageFont
    font = ImageFont.truetype(path, 140)
    top, bottom = font.getbbox("H")[1], font.getbbox("H")[3]
    if bottom - top < 20:
        return None
    blank = font.getmask("\ufffe").getbbox()
    out = {}
    for char in ALPHABET:
        shape = "D" if char == "Đ" and font.getmask("Đ").getbbox() in (None, blank) else char
        box = font.getbbox(shape)
        image = Image.new("L", (max(4, box[2] + 40), bottom + 30), 0)
        ImageDraw.Draw(image).text((20, 0), shape, font=font, fill=255)
        mask = trim(np.array(image)[top:bottom])
        if mask.size == 0 or mask.max() < 200:
            return None
        height = GLYPH_H
        width = max(6, int(mask.shape[1] * height / mask.shape[0] * squeeze))
        mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)
        if char == "Đ" and shape == "D":
            wide = np.zeros((height, width + width // 6), np.uint8)
            wide[:, width // 6:] = mask
            cv2.line(wide, (0, height // 2), (wide.shape[1] // 2, height // 2), 255, height // 10)
            mask = wide
        out[char] = mask
    return out


def styles(fonts, drawn, seed):
    """(weight, style) pairs: the drawn alphabet in many proportions, and each font in two widths."""
    rng = random.Random(seed)
    out = [(1.0, drawn_style(rng)) for _ in range(drawn)]
    named = []
    for path in sorted(glob.glob(os.path.join(fonts, "**", "*.[to]tf"), recursive=True)):
        name = os.path.basename(path)
        if any(word in name for word in ("Italic", "Oblique", "Serif", "Thin", "Hairline", "Outline", "Isabella", "Math", "ExtraLight", "Mac.")):
            continue
        named.append(path)
    for path in named:
        near = any(word in path for word in ("DIN", "osifont", "Dosis", "Narrow", "Condensed", "Yanone", "NationalPark", "RobotoCondensed"))
        for squeeze in (rng.uniform(0.75, 0.95), rng.uniform(0.6, 0.8)) if not near else (1.0, rng.uniform(0.8, 1.0), rng.uniform(0.9, 1.15)):
            style = font_style(path, squeeze)
            if style:
                out.append((0.5 * drawn / 150 if near else 0.15 * drawn / 150, style))
    return out

"""Plates drawn flat: text by the Vietnamese formats, laid out on a ground with border, screws, seal and dirt.

`draw(rng, styles)` gives a grey picture, the corners of the whole plate and of the text, and the text itself.
"""
import cv2
import numpy as np

from glyphs import ALPHABET, GLYPH_H

SERIES = "ABCDEFGHKLMNPSTUVXYZ"
ARMY = ["TM", "AA", "AB", "AC", "AD", "BB", "BC", "BH", "BT", "BP", "BS", "BV", "HA", "HB", "HC", "HD", "HE", "HT", "HQ", "KA", "KB", "KC",
        "KD", "KV", "KP", "KK", "PA", "PP", "PK", "PT", "PX", "QA", "QB", "QC", "QH", "TC", "TH", "TT", "TK", "TN", "VB", "VC", "VK", "VT"]


def digits(rng, n):
    """n digits; sometimes with runs, which people pay for."""
    if rng.random() < 0.12:
        d = rng.integers(0, 10, 2)
        return "".join(str(d[0] if rng.random() < 0.75 else d[1]) for _ in range(n))
    return "".join(str(d) for d in rng.integers(0, 10, n))


def text(rng):
    """Rows with separators, by format, and the layout they belong to."""
    p = f"{rng.integers(1, 10)}{rng.integers(0, 10)}"
    s = SERIES[rng.integers(len(SERIES))]
    # Series are issued in order: low numbers are commonest, 1 above all. The others stay frequent enough to be learnt.
    nth = 1 + int(rng.integers(0, 3) * (rng.random() < 0.5)) if rng.random() < 0.5 else int(rng.integers(0, 10))
    n5, n4 = digits(rng, 5), digits(rng, 4)
    dotted = n5[:3] + "." + n5[3:]
    kind = rng.random()
    if kind < 0.30:
        return [f"{p}-{s}{nth}", dotted], "moto"
    if kind < 0.43:
        return [f"{p}-{s}{nth}", n4], "moto"
    if kind < 0.49:
        return [f"{p}-{s}{SERIES[rng.integers(len(SERIES))]}", dotted if rng.random() < 0.8 else n4], "moto"
    if kind < 0.59:
        return [f"{p}-MĐ{nth}", dotted], "moto"
    if kind < 0.75:
        return [f"{p}{s}-{dotted if rng.random() < 0.75 else n4}"], "long"
    if kind < 0.87:
        return [f"{p}{s}", dotted if rng.random() < 0.75 else n4], "short"
    if kind < 0.90:
        suffix = ["LD", "DA", "KT", "RM", "MK", "TĐ", "HC", "CD", "NG", "QT", "NN", "CV"][rng.integers(12)]
        if rng.random() < 0.5:
            return [f"{p}{suffix}-{dotted}"], "long"
        return [f"{p}{suffix}", dotted], "short"
    if kind < 0.93:
        suffix = ["NG", "QT", "NN", "CV"][rng.integers(4)]
        if rng.random() < 0.5:
            return [f"{p}-{digits(rng, 3)}-{suffix}-{digits(rng, 2)}"], "long"
        return [f"{p}-{suffix}", f"{digits(rng, 3)}-{digits(rng, 2)}"], "short"
    if kind < 0.96:
        head = ARMY[rng.integers(len(ARMY))]
        if rng.random() < 0.5:
            return [f"{head}-{n4[:2]}-{n4[2:]}"], "long"
        return [head, f"{n4[:2]}-{n4[2:]}"], "short"
    # Any characters in the usual places, so that shapes are read and not only habits.
    pick = lambda n: "".join(ALPHABET[rng.integers(len(ALPHABET))] for _ in range(n))
    return ([pick(2) + "-" + pick(2), pick(5)], "moto") if rng.random() < 0.6 else ([pick(3) + "-" + pick(5)], "long")


SIZES = {"moto": (190, 140), "short": (330, 165), "long": (520, 110)}


def row_mask(row, style, height, gap, rng, squeeze):
    """One row of glyphs as a mask of the given height, px."""
    pieces, spread = [], rng.uniform(0.0, 0.3)
    digit_w = np.mean([style[d].shape[1] for d in "023456789"])
    for char in row:
        if char == "-":
            w = max(2, int(height * rng.uniform(0.12, 0.32)))
            t = max(1, int(height * rng.uniform(0.08, 0.14)))
            piece = np.zeros((height, w), np.uint8)
            if rng.random() < 0.96:
                y = int(height * rng.uniform(0.42, 0.56))
                piece[y:y + t] = 255
        elif char == ".":
            w = max(1, int(height * rng.uniform(0.09, 0.15)))
            piece = np.zeros((height, w), np.uint8)
            if rng.random() < 0.93:
                y = height - w - (0 if rng.random() < 0.7 else int(height * rng.uniform(0, 0.45)))
                piece[y:y + w] = 255
        else:
            mask = style[char]
            w = max(2, int(mask.shape[1] * height / GLYPH_H * squeeze))
            piece = cv2.resize(mask, (w, height), interpolation=cv2.INTER_AREA)
            # Plates are stamped on a pitch: narrow glyphs often keep a wider cell.
            cell = int(digit_w * height / GLYPH_H * squeeze)
            if w < cell and spread > 0.12:
                pad = (cell - w) / 2 * min(1.0, spread * 4)
                piece = np.pad(piece, ((0, 0), (int(pad), int(pad))))
        pieces.append(piece)
        pieces.append(np.zeros((height, gap), np.uint8))
    return np.hstack(pieces[:-1])


def draw(rng, styles, weights):
    """A plate seen straight on: grey picture, plate box, text box (x1, y1, x2, y2), normal form, rows."""
    style = styles[rng.choice(len(styles), p=weights)]
    rows, layout = text(rng)
    wmm, hmm = SIZES[layout]
    scale = 1.15 if layout == "long" else 1.4 if layout == "short" else 1.9
    w, h = int(wmm * scale * rng.uniform(0.94, 1.06)), int(hmm * scale)
    dark = rng.random() < 0.16
    ground, ink = (rng.uniform(20, 110), rng.uniform(150, 255)) if dark else (rng.uniform(120, 250), rng.uniform(0, 70))
    if not dark and ground - ink < 70:
        ground = ink + rng.uniform(70, 140)
    if dark and ink - ground < 70:
        ink = min(255, ground + rng.uniform(70, 140))
    picture = np.full((h, w), ground, np.float32)
    if rng.random() < 0.15:  # a sheet or reflection across one part of the ground
        cut = int(h * rng.uniform(0.15, 0.5))
        picture[:cut] += rng.uniform(-35, 25)
    n = len(rows)
    margin_y, margin_x = h * rng.uniform(0.05, 0.13), w * rng.uniform(0.02, 0.08)
    between = h * rng.uniform(0.03, 0.10) if n == 2 else 0
    tall = int((h - 2 * margin_y - between) / n)
    if n == 1:
        tall = int(h * rng.uniform(0.62, 0.84))
        margin_y = (h - tall) / 2 + h * rng.uniform(-0.04, 0.04)
    ink_mask = np.zeros((h, w), np.uint8)
    text_box = [w, h, 0, 0]
    squeeze = rng.uniform(0.85, 1.15) * (rng.uniform(1.0, 1.5) if n == 1 and rng.random() < 0.4 else 1)
    for i, row in enumerate(rows):
        gap = max(1, int(tall * rng.uniform(0.05, 0.2)))
        row_tall = int(tall * (rng.uniform(0.9, 1.0) if n == 2 else 1.0))
        mask = row_mask(row, style, row_tall, gap, rng, squeeze)
        limit = int(w - 2 * margin_x)
        if mask.shape[1] > limit:
            mask = cv2.resize(mask, (limit, row_tall), interpolation=cv2.INTER_AREA)
        elif rng.random() < (0.35 if n == 2 else 0.6):
            mask = cv2.resize(mask, (int(mask.shape[1] + (limit - mask.shape[1]) * rng.uniform(0, 0.8)), row_tall), interpolation=cv2.INTER_LINEAR)
        slack = w - mask.shape[1]
        x = int(np.clip(slack / 2 + rng.normal(0, 0.02) * w, 0, slack))
        y = int(np.clip(margin_y + i * (tall + between) + rng.normal(0, 0.01) * h, 0, h - row_tall))
        ink_mask[y:y + row_tall, x:x + mask.shape[1]] = np.maximum(ink_mask[y:y + row_tall, x:x + mask.shape[1]], mask)
        text_box = [min(text_box[0], x), min(text_box[1], y), max(text_box[2], x + mask.shape[1]), max(text_box[3], y + row_tall)]
    if rng.random() < 0.08:  # stamped letters whose paint is gone: bright inside, dark along the edge
        kernel = np.ones((3, 3), np.uint8)
        inside = cv2.erode(ink_mask, kernel, iterations=max(1, int(tall * rng.uniform(0.025, 0.045))))
        ink_mask = (ink_mask - inside * rng.uniform(0.6, 1.0)).clip(0, 255).astype(np.uint8)
    alpha = ink_mask.astype(np.float32) / 255
    if rng.random() < 0.2:  # worn paint
        patches = cv2.resize(rng.random((6, 10)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
        alpha *= np.clip(0.45 + 1.1 * patches, 0.25, 1)
    if rng.random() < 0.4:  # embossed: a light or dark edge on one side
        shift = np.roll(ink_mask, (1 if rng.random() < 0.5 else -1, int(rng.integers(-2, 3))), (0, 1)).astype(np.float32) / 255
        picture += (shift - alpha) * rng.uniform(-60, 60)
    picture = picture * (1 - alpha) + ink * alpha
    edge = rng.random()
    if edge < 0.75:
        inset, thick = int(rng.uniform(0, 0.025) * h), max(1, int(h * rng.uniform(0.008, 0.035)))
        colour = float(ink if rng.random() < 0.7 else rng.uniform(0, 255))
        cv2.rectangle(picture, (inset, inset), (w - 1 - inset, h - 1 - inset), colour, thick)
    for _ in range(rng.integers(0, 5) if rng.random() < 0.45 else 0):  # screws, seal
        x, y = int(rng.uniform(0.04, 0.96) * w), int((rng.choice([0.08, 0.5, 0.92]) + rng.normal(0, 0.02)) * h)
        cv2.circle(picture, (x, y), max(1, int(h * rng.uniform(0.015, 0.045))), float(rng.uniform(40, 230)), -1, cv2.LINE_AA)
    for _ in range(rng.integers(1, 4) if rng.random() < 0.25 else 0):  # scratches, dirt
        a, b = rng.uniform(0, 1, 2) * (w, h), rng.uniform(0, 1, 2) * (w, h)
        b = a + (b - a) * rng.uniform(0.05, 0.3)
        cv2.line(picture, tuple(int(v) for v in a), tuple(int(v) for v in b), float(rng.uniform(0, 255)), max(1, int(h * rng.uniform(0.005, 0.03))), cv2.LINE_AA)
    if rng.random() < 0.3:
        frame = int(h * rng.uniform(0.01, 0.07))
        picture = cv2.copyMakeBorder(picture, frame, frame, frame, frame, cv2.BORDER_CONSTANT, value=float(rng.uniform(0, 255)))
        text_box = [v + frame for v in text_box]
    normal = "".join(rows).replace("-", "").replace(".", "")
    return picture, text_box, normal, n

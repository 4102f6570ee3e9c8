"""Training samples: a drawn plate on a background, seen through a bad lens, cut roughly, as the gate's rows finder cuts it.

A sample is a 64x160 grey picture (0 to 1) and the text, empty for what is no plate. Deterministic in its seed.
"""
import cv2
import numpy as np

from plates import draw

H, W = 64, 160


def texture(rng, h, w):
    """A background: gradients, blocks, stripes, blurred noise."""
    base = rng.uniform(5, 235)
    out = np.full((h, w), base, np.float32)
    out += cv2.resize(rng.normal(0, rng.uniform(2, 45), (rng.integers(2, 7), rng.integers(2, 9))).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    for _ in range(rng.integers(0, 7)):
        a = (int(rng.integers(-w // 4, w)), int(rng.integers(-h // 4, h)))
        b = (int(a[0] + rng.integers(2, w)), int(a[1] + rng.integers(2, h)))
        shade = float(rng.uniform(0, 255))
        kind = rng.random()
        if kind < 0.4:
            cv2.rectangle(out, a, b, shade, -1 if rng.random() < 0.6 else int(rng.integers(1, 8)))
        elif kind < 0.7:
            cv2.line(out, a, b, shade, int(rng.integers(1, 16)), cv2.LINE_AA)
        else:
            cv2.ellipse(out, a, (int(rng.integers(3, w)), int(rng.integers(3, h))), float(rng.uniform(0, 180)), 0, 360, shade, -1 if rng.random() < 0.5 else int(rng.integers(1, 9)), cv2.LINE_AA)
    if rng.random() < 0.3:
        period = rng.uniform(4, 30)
        out += rng.uniform(5, 45) * np.sin(np.arange(h)[:, None] * rng.uniform(-1, 1) / period * 6 + np.arange(w)[None] * rng.uniform(-1, 1) / period * 6)
    return out


def no_plate(rng, styles):
    """A background, with writing that is no plate in two of three."""
    h, w = 150, int(150 * rng.choice([1.4, 2, 4.5]) * rng.uniform(0.8, 1.2))
    out = texture(rng, h, w)
    if rng.random() < 0.66:
        style = styles[rng.integers(len(styles))]
        for _ in range(rng.integers(1, 3)):
            chars = "".join(rng.choice(list("ABCDEFGHKLMNPRSTUVXYZ" if rng.random() < 0.75 else "0123456789"), rng.integers(2, 12)))
            size = int(h * rng.uniform(0.15, 0.7))
            x, y = int(rng.uniform(-0.1, 0.5) * w), int(rng.uniform(0, h - size))
            shade = float(rng.uniform(0, 255))
            for char in chars:
                glyph = style[char]
                piece = cv2.resize(glyph, (max(2, glyph.shape[1] * size // glyph.shape[0]), size)).astype(np.float32) / 255
                left, right = max(0, x), min(w, x + piece.shape[1])
                if right > left:
                    part = piece[:, left - x:right - x]
                    out[y:y + size, left:right] = out[y:y + size, left:right] * (1 - part) + shade * part
                x += piece.shape[1] + size // 8
    return out


def streaks(rng, low):
    """White curves and blots with sharp edges."""
    h, w = low.shape
    mask = np.zeros((h * 4, w * 4), np.uint8)
    for _ in range(rng.integers(1, 3)):
        x, y = rng.uniform(0, 4 * w), rng.uniform(0, 4 * h)
        reach = 4 * h * rng.uniform(0.15, 0.6)
        a = rng.normal(0, 0.5)
        bow = rng.normal(0, 0.25) * reach
        t = np.linspace(-1, 1, 12)
        points = np.stack([x + t * reach * np.cos(a) - (t * t - 0.5) * bow * np.sin(a), y + t * reach * np.sin(a) + (t * t - 0.5) * bow * np.cos(a)], 1)
        thick = 4 * h * rng.uniform(0.012, 0.07)
        for i in range(11):
            cv2.line(mask, tuple(int(v) for v in points[i]), tuple(int(v) for v in points[i + 1]), 255,
                     max(1, int(thick * (1 - 0.8 * abs(t[i])) * rng.uniform(0.7, 1.3))), cv2.LINE_AA)
    cover = cv2.resize(mask, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255 * rng.uniform(0.5, 1.0)
    return low * (1 - cover) + cover * max(float(low.max()), rng.uniform(190, 255))


def degrade(rng, low, hard):
    """Light, lens, sensor, compression on a small picture."""
    h, w = low.shape
    if rng.random() < 0.35:  # shadow or light over a half-plane
        angle = rng.uniform(0, 2 * np.pi)
        d = (np.arange(w)[None] / w - rng.uniform(0.2, 0.8)) * np.cos(angle) + (np.arange(h)[:, None] / h - rng.uniform(0.2, 0.8)) * np.sin(angle)
        low = low * (1 + (rng.uniform(0.35, 1.5) - 1) / (1 + np.exp(-d / rng.uniform(0.01, 0.2))))
    for _ in range(rng.integers(1, 4) if rng.random() < 0.28 * hard else 0):  # glare: spots and streaks
        x, y, rx, ry = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(0.04, 0.3) * h, rng.uniform(0.03, 0.12) * h
        if rng.random() < 0.4:
            rx *= rng.uniform(1.5, 4)
        a = rng.uniform(0, np.pi) if rng.random() < 0.5 else rng.normal(0, 0.25)
        dx, dy = np.arange(w)[None] - x, np.arange(h)[:, None] - y
        spot = np.exp(-((dx * np.cos(a) + dy * np.sin(a)) / rx) ** 2 - ((dy * np.cos(a) - dx * np.sin(a)) / ry) ** 2)
        low = low + spot * rng.uniform(30, 150)
    if rng.random() < 0.22 * hard:  # a lamp in the varnish or a scratched sheet: hard white streaks over the characters
        low = streaks(rng, low)
    if rng.random() < 0.15 * hard:  # too much light: the ground burns out and eats into the strokes
        low = np.minimum(low * rng.uniform(1.1, 1.7) + rng.uniform(0, 40), 255)
        low = low + rng.uniform(0.2, 0.5) * cv2.GaussianBlur(np.maximum(low - 170, 0), (0, 0), h * rng.uniform(0.02, 0.08))
    if rng.random() < 0.08 * hard:  # washed out
        low = 255 - (255 - low) * rng.uniform(0.2, 0.6)
    kind = rng.random()
    if kind < 0.55:
        low = cv2.GaussianBlur(low, (0, 0), min(0.03 * h, max(0.15, abs(rng.normal(0, 0.009)) * h * (0.4 + hard))))
    elif kind < 0.8:
        n = max(1, int(min(0.09, abs(rng.normal(0, 0.035)) * (0.4 + hard)) * h))
        if n > 1:
            kernel = np.zeros((n, n), np.float32)
            a = rng.uniform(0, np.pi)
            c = (n - 1) / 2
            cv2.line(kernel, (int(round(c - c * np.cos(a))), int(round(c - c * np.sin(a)))), (int(round(c + c * np.cos(a))), int(round(c + c * np.sin(a)))), 1, 1)
            low = cv2.filter2D(low, -1, kernel / max(1e-6, kernel.sum()))
    if rng.random() < 0.3:
        low = low * rng.uniform(0.25, 1.0) + rng.uniform(0, 60)
    if rng.random() < 0.3:
        low = 255 * (np.clip(low, 0, 255) / 255) ** rng.uniform(0.5, 2.0)
    if rng.random() < 0.5:
        low = low + rng.normal(0, rng.uniform(0, 14) * hard, (h, w)).astype(np.float32)
    low = np.clip(low, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        ok, data = cv2.imencode(".jpg", low, [cv2.IMWRITE_JPEG_QUALITY, int(rng.uniform(18, 95))])
        low = cv2.imdecode(data, 0)
    if rng.random() < 0.15:
        low = cv2.medianBlur(low, 3)
    low = low.astype(np.float32)
    if rng.random() < 0.04 * hard:  # two half pictures of a moving plate
        low[1::2] = np.roll(low[1::2], int(rng.integers(-3, 4)), axis=1)
    if rng.random() < 0.2:
        low = low + rng.uniform(0.3, 1.2) * (low - cv2.GaussianBlur(low, (0, 0), rng.uniform(0.8, 2)))
    return np.clip(low, 0, 255)


def sample(rng, styles, weights, hard):
    """(picture, text). `hard` from 0 (clean) to 1 widens tilt, blur, smallness and noise."""
    hard = hard * rng.uniform(0.35, 1.0)
    if rng.random() < 0.1:
        plate, box, label, rows = no_plate(rng, styles), None, "", 2
        h, w = plate.shape
        box = [w * 0.1, h * 0.1, w * 0.9, h * 0.9]
    else:
        plate, box, label, rows = draw(rng, styles, weights)
    ph, pw = plate.shape
    bw, bh = box[2] - box[0], box[3] - box[1]
    unit = bh / rows
    # The cut: from hard on the text to well beyond the plate. One-line plates get as much room above and below.
    wide = rng.random() < 0.25
    top, bottom, left, right = (unit * (rng.uniform(-0.04, 0.32) if not wide else rng.uniform(0.05, 0.75)) for _ in range(4))
    if rng.random() < 0.12:  # a side is cut off a little: part of a character, or the text's very edge
        side = -unit * rng.uniform(0.0, 0.08)
        left, right = (side, right) if rng.random() < 0.5 else (left, side)
    left, right = left * (1.6 if rows == 1 else 1), right * (1.6 if rows == 1 else 1)
    x1, y1, x2, y2 = box[0] - left, box[1] - top, box[2] + right, box[3] + bottom
    # The size at which the camera saw it.
    tall = float(np.exp(rng.uniform(np.log(26 - 5 * hard), np.log(80)))) * (1 if rows == 2 else 0.62)
    lh = max(8, int(tall))
    # Recorders squeeze pictures sideways: half the width is common.
    squeezed = rng.uniform(0.5, 0.9) if rng.random() < 0.3 else rng.uniform(0.85, 1.15)
    lw = max(24, int(lh * (x2 - x1) / (y2 - y1) * squeezed))
    if lw > 420:
        lw = 420
    source = np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]], np.float32)
    centre = source.mean(0)
    angle = np.radians(rng.normal(0, 1.0 + 3.2 * hard) * (0.7 if rows == 1 else 1))
    rotate = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (source - centre) @ rotate.T
    moved[:, 0] += moved[:, 1] * rng.normal(0, 0.02 + 0.08 * hard)
    moved[:, 1] += moved[:, 0] * rng.normal(0, 0.005 + 0.025 * hard)
    moved += rng.normal(0, 0.004 + 0.022 * hard, (4, 2)) * (bw * 0.5, bh)
    moved = (moved + centre).astype(np.float32)
    target = np.array([[0, 0], [lw, 0], [lw, lh], [0, lh]], np.float32)
    matrix = cv2.getPerspectiveTransform(moved, target)
    # Shrink in steps so that no pixel is skipped.
    step = (x2 - x1) / lw
    if step > 1.6:
        plate = cv2.GaussianBlur(plate, (0, 0), step * 0.42)
    behind = texture(rng, lh, lw) if label else np.full((lh, lw), float(plate.mean()), np.float32)
    seen = cv2.warpPerspective(plate, matrix, (lw, lh), flags=cv2.INTER_LINEAR)
    inside = cv2.warpPerspective(np.ones((ph, pw), np.float32), matrix, (lw, lh), flags=cv2.INTER_LINEAR)
    low = degrade(rng, behind * (1 - inside) + seen * inside, hard)
    if rng.random() < 0.3:  # somebody enlarged it before
        low = cv2.resize(low, None, fx=rng.uniform(1.2, 4), fy=rng.uniform(1.2, 4), interpolation=int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC])))
    shrink = low.shape[0] > H * 1.3
    out = cv2.resize(low, (W, H), interpolation=cv2.INTER_AREA if shrink else int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_CUBIC])))
    return np.clip(out, 0, 255).astype(np.uint8), label


def batch(seed, size, styles, weights, hard):
    """`size` samples."""
    rng = np.random.default_rng(seed)
    pictures, labels = np.empty((size, H, W), np.uint8), []
    for i in range(size):
        pictures[i], label = sample(rng, styles, weights, hard)
        labels.append(label)
    return pictures, labels

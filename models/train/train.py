"""Trains the plate reader on drawn plates alone. No photograph of a plate is used.

usage: train.py FONTS_DIR OUT_DIR --minutes 60 [--threads 2] [--resume FILE]
Writes OUT_DIR/reader.pt (averaged weights) every few minutes and OUT_DIR/log.txt.
"""
import argparse
import copy
import math
import os
import time

import numpy as np
import torch
import torch.multiprocessing as mp

import glyphs
import samples
import warm
from net import Reader


def produce(queue, fonts, seed, size, progress):
    import cv2
    cv2.setNumThreads(1)
    pool = glyphs.styles(fonts, 150, 1)
    weights = np.array([w for w, _ in pool])
    weights /= weights.sum()
    styles = [s for _, s in pool]
    index = 0
    while True:
        hard = min(1.0, 0.1 + progress.value * 4)
        queue.put(samples.batch((seed, index), size, styles, weights, hard))
        index += 1


def standard(pictures):
    x = torch.from_numpy(pictures).float()
    mean, std = x.mean((1, 2), keepdim=True), x.std((1, 2), keepdim=True, unbiased=False)
    return ((x - mean) / std.clamp(min=8)).unsqueeze(1)


def greedy(log_probs):
    out = []
    for row in log_probs.argmax(2).numpy():
        text, last = "", 0
        for c in row:
            if c and c != last:
                text += glyphs.ALPHABET[c - 1]
            last = c
        out.append(text)
    return out


def main():
    a = argparse.ArgumentParser()
    a.add_argument("fonts")
    a.add_argument("out")
    a.add_argument("--minutes", type=float, default=60)
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--batch", type=int, default=64)
    a.add_argument("--rate", type=float, default=2e-3)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--resume", help="weights to go on from, at full difficulty: reader.pt, or an exported file")
    a = a.parse_args()
    os.makedirs(a.out, exist_ok=True)
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    progress = mp.Value("d", 1.0 if a.resume else 0.0)
    queue = mp.Queue(24)
    worker = mp.Process(target=produce, args=(queue, a.fonts, a.seed, a.batch, progress), daemon=True)
    worker.start()
    net = Reader()
    if a.resume and a.resume.endswith(".onnx"):
        warm.load(net, a.resume, standard(np.concatenate([queue.get()[0] for _ in range(4)])))
    elif a.resume:
        net.load_state_dict(torch.load(a.resume))
    mean_net = copy.deepcopy(net).eval()
    optimiser = torch.optim.AdamW(net.parameters(), lr=a.rate, weight_decay=1e-3)
    ctc = torch.nn.CTCLoss(zero_infinity=True)
    number = {c: i + 1 for i, c in enumerate(glyphs.ALPHABET)}
    start, step, seen, running, saved = time.time(), 0, 0, None, 0.0
    log = open(os.path.join(a.out, "log.txt"), "a")
    net.train()
    while True:
        share = (time.time() - start) / (a.minutes * 60)
        if share >= 1:
            break
        if not a.resume:
            progress.value = share
        rate = a.rate * min(1.0, (step + 1) / (50 if a.resume else 200)) * (0.5 + 0.5 * math.cos(math.pi * share)) + 1e-5
        for group in optimiser.param_groups:
            group["lr"] = rate
        pictures, labels = queue.get()
        targets = torch.tensor([number[c] for text in labels for c in text], dtype=torch.long)
        lengths = torch.tensor([len(text) for text in labels])
        with torch.autocast("cpu", torch.bfloat16):
            out = net(standard(pictures).contiguous(memory_format=torch.channels_last))
        out = out.float()
        loss = ctc(out.permute(1, 0, 2), targets, torch.full((len(labels),), out.shape[1]), lengths)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        step, seen = step + 1, seen + len(labels)
        running = loss.item() if running is None else running * 0.98 + loss.item() * 0.02
        keep = min(0.999, step / (step + 20))
        with torch.no_grad():
            for m, p in zip(mean_net.state_dict().values(), net.state_dict().values()):
                if m.dtype.is_floating_point:
                    m.mul_(keep).add_(p, alpha=1 - keep)
                else:
                    m.copy_(p)
        if step % 100 == 0:
            right = np.mean([g == w for g, w in zip(greedy(out.detach()), labels)])
            line = f"{time.time() - start:6.0f} s step {step} seen {seen} loss {running:.4f} exact {right:.3f} rate {rate:.5f}"
            print(line, flush=True)
            log.write(line + "\n")
            log.flush()
        if time.time() - start - saved > 180:
            saved = time.time() - start
            torch.save(mean_net.state_dict(), os.path.join(a.out, "reader.pt"))
    torch.save(mean_net.state_dict(), os.path.join(a.out, "reader.pt"))
    worker.terminate()


if __name__ == "__main__":
    main()

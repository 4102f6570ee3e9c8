"""ByteTrack (package `trackers`) and LineZone (package `supervision`) on the simulated walkers; docs/ref/counting.md.

usage: linezone.py SCENES.json FPS SEEDS    (SCENES.json is written by the test `scenes_written_out` of edge/src/count)
"""
import collections
import json
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
import supervision as sv
from trackers import ByteTrackTracker


def counted(scene):
    """In and out of a scene, by the peer's sense of the line."""
    width, height = scene["picture"]
    x1, y1, x2, y2 = scene["line"]
    zone = sv.LineZone(
        sv.Point(x1 * width, y1 * height), sv.Point(x2 * width, y2 * height), triggering_anchors=[sv.Position.CENTER]
    )
    tracker = ByteTrackTracker(frame_rate=scene["fps"])
    for boxes in scene["pictures"]:
        boxes = np.array(boxes, dtype=np.float32).reshape(-1, 5)
        seen = sv.Detections(xyxy=boxes[:, :4], confidence=boxes[:, 4], class_id=np.zeros(len(boxes), dtype=int))
        zone.trigger(tracker.update(seen))
    return zone.in_count, zone.out_count


def wrong(found, scene):
    return abs(found[0] - scene["in"]) + abs(found[1] - scene["out"])


def main():
    fps, seeds = float(sys.argv[2]), int(sys.argv[3])
    rows = collections.OrderedDict()
    for scene in json.load(open(sys.argv[1])):
        if scene["fps"] == fps and scene["seed"] < seeds:
            rows.setdefault((scene["kind"], scene["missing"]), []).append(scene)
    for (kind, missing), scenes in rows.items():
        walkers = sum(scene["walkers"] for scene in scenes)
        ours = sum(wrong(scene["ours"], scene) for scene in scenes)
        found = [counted(scene) for scene in scenes]
        # Whichever way its line points.
        peer = min(
            sum(wrong(pair, scene) for pair, scene in zip(found, scenes)),
            sum(wrong(pair[::-1], scene) for pair, scene in zip(found, scenes)),
        )
        print(f"| {kind} | {missing:.0%} | {walkers} | {ours} | {peer} |", flush=True)


main()

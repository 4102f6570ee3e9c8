"""Supervision's ByteTrack and LineZone on the simulated walkers; docs/ref/counting.md says how.

usage: linezone.py SCENES.json    (written by the test `scenes_written_out` of edge/src/count)
"""
import collections
import json
import sys
import warnings

import numpy as np

warnings.filterwarnings("ignore")
import supervision as sv


def counted(scene, anchors):
    """In and out, by our sense of the line."""
    width, height = scene["picture"]
    x1, y1, x2, y2 = scene["line"]
    zone = sv.LineZone(
        start=sv.Point(x1 * width, y1 * height), end=sv.Point(x2 * width, y2 * height), triggering_anchors=anchors
    )
    # The library counts its memory in pictures of a thirtieth of a second.
    tracker = sv.ByteTrack(frame_rate=scene["fps"])
    for boxes in scene["pictures"]:
        boxes = np.array(boxes, dtype=np.float32).reshape(-1, 5)
        seen = sv.Detections(xyxy=boxes[:, :4], confidence=boxes[:, 4], class_id=np.zeros(len(boxes), dtype=int))
        zone.trigger(tracker.update_with_detections(seen))
    return zone.in_count, zone.out_count


def wrong(found, scene):
    """Wrong crossings, whichever way the peer's line points."""
    def error(a, b):
        return abs(a - scene["in"]) + abs(b - scene["out"])
    return min(error(*found), error(*reversed(found)))


def main():
    table = collections.OrderedDict()
    anchors = {"centre": [sv.Position.CENTER], "corners": None}
    for scene in json.load(open(sys.argv[1])):
        row = table.setdefault((scene["kind"], scene["fps"], scene["missing"]), collections.Counter())
        row["walkers"] += scene["walkers"]
        row["ours"] += abs(scene["ours"][0] - scene["in"]) + abs(scene["ours"][1] - scene["out"])
        for name, anchor in anchors.items():
            args = anchor or [sv.Position.TOP_LEFT, sv.Position.TOP_RIGHT, sv.Position.BOTTOM_LEFT, sv.Position.BOTTOM_RIGHT]
            row[name] += wrong(counted(scene, args), scene)
    for (kind, fps, missing), row in table.items():
        print(f"| {kind} | {fps:g} | {missing:.0%} | {row['walkers']} | {row['ours']} | {row['centre']} | {row['corners']} |")


main()

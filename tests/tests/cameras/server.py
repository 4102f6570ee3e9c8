"""Network cameras for the tests, by GStreamer's RTSP server: one path a behaviour. On loopback; the first line of standard
output is the port, or says why there is none. Usage: server.py PORT, where 0 is any."""

import sys

try:
    import gi

    gi.require_version("Gst", "1.0")
    gi.require_version("GstRtspServer", "1.0")
    from gi.repository import GLib, Gst, GstRtspServer
except (ImportError, ValueError) as cause:
    print(f"absent {cause}", flush=True)
    sys.exit(0)

MOVES = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=160,height=120,framerate=10/1"
CODED = "vp8enc deadline=1 keyframe-max-dist=10"
PAY = "rtpvp8pay name=pay0 pt=96"
CAMERAS = {
    "/good": f"{MOVES} ! {CODED} ! {PAY}",
    # A test picture without anything that moves, each frame coded by itself: the same bytes again and again.
    "/still": "videotestsrc is-live=true pattern=checkers-8 ! video/x-raw,format=I420,width=160,height=120,framerate=10/1"
    " ! jpegenc ! rtpjpegpay name=pay0 pt=96",
    # It opens like any other, and after some pictures sends no more.
    "/silent": f"{MOVES} ! {CODED} ! valve name=valve ! {PAY}",
    # One byte in fifty of what is coded is another.
    "/spoilt": f"{MOVES} ! {CODED} ! breakmydata probability=0.02 ! {PAY}",
    "/grows": f"{MOVES} ! videoscale ! capsfilter name=size caps=video/x-raw,width=160,height=120 ! {CODED} ! {PAY}",
}
CHANGES_AFTER_MS = 3_000


def change(media, path):
    """In the middle of the stream: the size changes, or the pictures end."""
    pipeline = media.get_element()
    if path == "/grows":
        pipeline.get_by_name("size").set_property("caps", Gst.Caps.from_string("video/x-raw,width=320,height=240"))
    if path == "/silent":
        pipeline.get_by_name("valve").set_property("drop", True)
    return False


def serve(port, locked):
    """A server of all cameras; a locked one asks for a user and a password."""
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    if locked:
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic("admin", "s3cret"), token)
        server.set_auth(auth)
    mounts = server.get_mount_points()
    for path, launch in CAMERAS.items():
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(f"( {launch} )")
        role = Gst.Structure.new_empty("viewer")
        role.set_value(GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
        role.set_value(GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
        factory.add_role_from_structure(role)
        if path in ("/grows", "/silent"):
            factory.connect("media-configure", lambda _, media, path: GLib.timeout_add(CHANGES_AFTER_MS, change, media, path), path)
        mounts.add_factory(path, factory)
    return server if server.attach(None) else None


def main():
    Gst.init(None)
    servers = [serve(port, locked) for port, locked in zip(sys.argv[1:3], (False, True))]
    if not all(servers):
        print("absent a port is taken", flush=True)
        return
    print(*(server.get_bound_port() for server in servers), flush=True)
    GLib.MainLoop().run()


main()

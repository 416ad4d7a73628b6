"""A registry on loopback that serves one image, a busybox, under every name, so that a cluster needs no network.

usage: registry.py PORT BUSYBOX ARCHITECTURE IMAGES

A directory IMAGES/NAME with an OCI layout is the image NAME, whatever its tag.
"""

import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import tarfile

DIRECTORIES = ["bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "var"]
FILES = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\n", "etc/group": "root:x:0:\n"}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIGURATION = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def digest_of(blob):
    return "sha256:" + hashlib.sha256(blob).hexdigest()


def descriptor(media_type, blob):
    return {"mediaType": media_type, "digest": digest_of(blob), "size": len(blob)}


def member(name, kind, mode):
    info = tarfile.TarInfo(name)
    info.type, info.mode = kind, mode
    return info


def layer(busybox):
    """The file system of the image as a tar archive: busybox and a link to it for each of its applets."""
    with open(busybox, "rb") as file:
        program = file.read()
    listed = subprocess.run([busybox, "--list"], capture_output=True, check=True, text=True)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name in DIRECTORIES:
            archive.addfile(member(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
        for name, text in FILES.items():
            info = member(name, tarfile.REGTYPE, 0o644)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
        info = member("bin/busybox", tarfile.REGTYPE, 0o755)
        info.size = len(program)
        archive.addfile(info, io.BytesIO(program))
        for applet in listed.stdout.split():
            if applet != "busybox":
                link = member("bin/" + applet, tarfile.SYMTYPE, 0o777)
                link.linkname = "busybox"
                archive.addfile(link)
    return buffer.getvalue()


def image(busybox, architecture):
    """The manifest of the image, and every blob by its digest."""
    files = layer(busybox)
    configuration = json.dumps({
        "architecture": architecture,
        "os": "linux",
        # The container of a pod itself has no command of its own, so it must wait.
        "config": {"Env": ["PATH=/bin"], "Cmd": ["/bin/sleep", "2147483647"]},
        "rootfs": {"type": "layers", "diff_ids": [digest_of(files)]},
    }).encode()
    manifest = json.dumps({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIGURATION, configuration),
        "layers": [descriptor(LAYER, files)],
    }).encode()
    return manifest, {digest_of(blob): blob for blob in (files, configuration, manifest)}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers what a client asks that pulls an image."""

    protocol_version = "HTTP/1.1"
    manifest = b""
    blobs = {}
    images = ""

    def do_HEAD(self):
        self.reply()

    def do_GET(self):
        body = self.reply()
        self.wfile.write(body)

    def reply(self):
        """Sends the status and the headers, and returns the body."""
        path = self.path.split("?")[0]
        name = path.rsplit("/", 1)[-1]
        if path in ("/v2", "/v2/"):
            return self.found("application/json", b"{}")
        if "/manifests/" in path:
            # By a digest, only what has it: the client would refuse another.
            body = self.blob(name) if name.startswith("sha256:") else self.tagged(path.split("/")[-3])
            return self.found(MANIFEST, body)
        return self.found("application/octet-stream", self.blob(name))

    def tagged(self, name):
        """The manifest of the image of this name."""
        index = os.path.join(self.images, name, "index.json")
        if not os.path.exists(index):
            return self.manifest
        with open(index, "rb") as file:
            return self.blob(json.load(file)["manifests"][0]["digest"])

    def blob(self, digest):
        """What has the digest, or nothing."""
        layouts = os.listdir(self.images) if os.path.isdir(self.images) else []
        for layout in layouts:
            path = os.path.join(self.images, layout, "blobs", *digest.split(":"))
            if os.path.exists(path):
                with open(path, "rb") as file:
                    return file.read()
        return self.blobs.get(digest)

    def found(self, media_type, body):
        self.send_response(404 if body is None else 200)
        body = body or b""
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Docker-Content-Digest", digest_of(body))
        self.end_headers()
        return body


def main():
    port, busybox, architecture, Handler.images = sys.argv[1:]
    Handler.manifest, Handler.blobs = image(busybox, architecture)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Handler).serve_forever()


main()

"""Stands for an API server in tests/kube/selftest, so that a real kubectl can be asked what the cluster tests ask it.

It prints its port, and serves on this machine alone until it is killed. What it knows is fixed, but that pods change
after they were first asked for, so that a wait must really wait:

  web     becomes ready
  broken  fails, and gets an event with the reason
  mixed   has one container that runs and one that cannot be created
"""

import http.server
import json
import time
import urllib.parse

TEST = "nri-oci-hooks-test"
DAEMON = "nri-oci-hooks"
WAIT = 0.3


def meta(name, created="2026-01-01T00:00:00Z", **more):
    return {"name": name, "uid": f"uid-{name}", "resourceVersion": "5", "creationTimestamp": created, **more}


def pod(name, namespace, containers=None, phase="Pending", created="2026-01-01T00:00:00Z"):
    ready = "True" if containers and all(container.get("ready") for container in containers) else "False"
    status = {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}
    if containers is not None:
        status["containerStatuses"] = containers
    return {
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": meta(name, created, namespace=namespace),
        "spec": {"nodeName": "node-1", "containers": [{"name": "app"}]},
        "status": status,
    }


def listed(kind, items, version="v1"):
    return {"kind": f"{kind}List", "apiVersion": version, "metadata": {"resourceVersion": "5"}, "items": items}


def event(name, message):
    return {
        "kind": "Event",
        "apiVersion": "v1",
        "metadata": meta(name, namespace=TEST),
        "involvedObject": {"kind": "Pod", "name": "broken"},
        "reason": "Failed",
        "message": message,
    }


# The states of each pod, from the first request for it on.
CREATING = {"ready": False, "state": {"waiting": {"reason": "ContainerCreating"}}}
LIVES = {
    "web": [pod("web", TEST), pod("web", TEST, [{"ready": True, "containerID": "containerd://w1"}], "Running")],
    "broken": [
        pod("broken", TEST),
        pod("broken", TEST, [{"state": {"terminated": {"containerID": "containerd://b1"}}}], "Failed"),
    ],
    "mixed": [
        pod("mixed", TEST),
        pod("mixed", TEST, [CREATING, CREATING]),
        pod("mixed", TEST, [{"ready": True}, {"state": {"waiting": {"reason": "CreateContainerError"}}}]),
    ],
}
DAEMON_SET = {
    "kind": "DaemonSet",
    "apiVersion": "apps/v1",
    "metadata": meta(DAEMON, namespace=DAEMON, generation=2),
    "spec": {
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": []}},
        "updateStrategy": {"type": "RollingUpdate"},
    },
    "status": {
        "observedGeneration": 2,
        "desiredNumberScheduled": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
    },
}
NEW = pod("new", DAEMON, [{"restartCount": 0}], "Running", "2026-01-01T00:00:09Z")
OBJECTS = {
    "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [{"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]}],
    },
    "/api/v1": {
        "kind": "APIResourceList",
        "groupVersion": "v1",
        "resources": [
            {"name": name, "kind": kind, "namespaced": scoped, "verbs": ["get", "list", "watch", "delete", "patch"]}
            for name, kind, scoped in [
                ("pods", "Pod", True),
                ("events", "Event", True),
                ("configmaps", "ConfigMap", True),
                ("nodes", "Node", False),
                ("namespaces", "Namespace", False),
            ]
        ],
    },
    "/apis/apps/v1": {
        "kind": "APIResourceList",
        "groupVersion": "apps/v1",
        "resources": [
            {"name": "daemonsets", "kind": "DaemonSet", "namespaced": True, "verbs": ["get", "list", "watch", "patch"]}
        ],
    },
    "/api/v1/nodes": listed(
        "Node", [{"kind": "Node", "apiVersion": "v1", "metadata": meta(name)} for name in ("node-1", "node-2")]
    ),
    "/api/v1/nodes/node-1": {
        "kind": "Node",
        "apiVersion": "v1",
        "metadata": meta("node-1", labels={"kubernetes.io/hostname": "host-1"}),
    },
    f"/api/v1/namespaces/{DAEMON}": {
        "kind": "Namespace",
        "apiVersion": "v1",
        "metadata": meta(DAEMON, labels={"tests.noderesource.dev/kube": "yes"}),
    },
    f"/api/v1/namespaces/{DAEMON}/configmaps/{DAEMON}": {
        "kind": "ConfigMap",
        "apiVersion": "v1",
        "metadata": meta(DAEMON, namespace=DAEMON),
        "data": {"default.json": "{}"},
    },
    # During an upgrade there are two.
    f"/api/v1/namespaces/{DAEMON}/pods": listed("Pod", [NEW, pod("old", DAEMON, [], "Running")]),
    f"/api/v1/namespaces/{DAEMON}/pods/new": NEW,
    f"/apis/apps/v1/namespaces/{DAEMON}/daemonsets": listed("DaemonSet", [DAEMON_SET], "apps/v1"),
    f"/apis/apps/v1/namespaces/{DAEMON}/daemonsets/{DAEMON}": DAEMON_SET,
}
METRICS = "# TYPE x gauge\nnri_oci_hooks_registered 1\nnri_oci_hooks_connections_total 3\n"
# When a pod was deleted; it goes a little later.
deleted = {}


def is_gone(name):
    return name in deleted and time.monotonic() > deleted[name] + WAIT


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, body, code=200):
        body = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def not_found(self):
        self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}, 404)

    def watch(self, now, changes):
        """What there is now, if the client asks for that in its watch (as newer ones do); then the changes."""
        if "sendInitialEvents=true" in self.path:
            end = {"metadata": {"resourceVersion": "5", "annotations": {"k8s.io/initial-events-end": "true"}}}
            first = [("ADDED", thing) for thing in now["items"]]
            end.update(kind=now["kind"].removesuffix("List"), apiVersion=now["apiVersion"])
            changes = [*first, ("BOOKMARK", end), *changes]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        for kind, thing in changes:
            time.sleep(WAIT)
            self.wfile.write((json.dumps({"type": kind, "object": thing}) + "\n").encode())
            self.wfile.flush()
        # A watch goes on until its client leaves, or for so long.
        time.sleep(30)

    def do_GET(self):
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        watching = "watch" in query
        pods = f"/api/v1/namespaces/{TEST}/pods"
        if url.path.endswith("/proxy/metrics"):
            self.answer(METRICS)
        elif url.path == f"/api/v1/namespaces/{TEST}/events":
            before = listed("Event", [event("e1", "Pulled"), event("e2", "Created")])
            later = event("e3", "Error: ... stderr: prestart hook 2 of 2, /x/kube-record: no licence left")
            self.watch(before, [("ADDED", later)]) if watching else self.answer(before)
        elif url.path == pods:
            name = query["fieldSelector"][0].split("=")[1]
            first, *later = LIVES[name]
            if name in deleted:
                first, changes = LIVES[name][-1], [("DELETED", LIVES[name][-1])]
            else:
                changes = [("MODIFIED", state) for state in later]
            now = listed("Pod", [] if is_gone(name) else [first])
            self.watch(now, changes) if watching else self.answer(now)
        elif url.path.startswith(pods + "/"):
            name = url.path.rsplit("/")[-1]
            self.not_found() if name not in LIVES or is_gone(name) else self.answer(LIVES[name][-1])
        elif url.path in OBJECTS:
            self.watch(OBJECTS[url.path], []) if watching else self.answer(OBJECTS[url.path])
        else:
            self.not_found()

    def do_DELETE(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = urllib.parse.urlparse(self.path).path.rsplit("/")[-1]
        if name not in LIVES:
            return self.not_found()
        deleted[name] = time.monotonic()
        self.answer(LIVES[name][-1])

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        thing = OBJECTS.get(urllib.parse.urlparse(self.path).path)
        if thing is None:
            return self.not_found()
        # So that what is patched has changed: kubectl says otherwise that it has not.
        self.answer({**thing, **{key: value for key, value in body.items() if key == "data"}})


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()

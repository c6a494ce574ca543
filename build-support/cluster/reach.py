"""Opens a connection from every pod of the cluster to every port of every pod of a release, and holds what opens against the
contracts.

    kubectl get pods --all-namespaces -o json | reach.py RELEASE DOMAINS_JSON [--all]

A domain is opened by the edge and by whose contract declares the call; the trial's servers by the release's own pods; the edge
and what is told of health and metrics by everyone. With --all nothing is enforced yet, and everything must open: it shows that a
refusal is the policies' doing. Needs root: it enters the pods' network namespaces.
"""

import json
import subprocess
import sys
from pathlib import Path

NAMESPACES = Path("/var/run/netns")
# What is refused is dropped: nobody says no.
SECONDS = 3
TRY = f"""
import concurrent.futures, json, socket, sys
def opens(target):
    try:
        socket.create_connection(target, {SECONDS}).close()
        return True
    except OSError:
        return False
targets = [tuple(target) for target in json.load(sys.stdin)]
with concurrent.futures.ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps(list(pool.map(opens, targets))))
"""


def running(pods):
    return [pod for pod in pods if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]]


def namespaces():
    """The network namespaces of the pods, by their addresses."""
    found = {}
    for namespace in NAMESPACES.glob("cni-*"):
        told = subprocess.run(["ip", "-json", "-netns", namespace.name, "addr", "show", "eth0"], capture_output=True, text=True, check=False)
        # A pod may end while it is looked at.
        if told.returncode == 0:
            addresses = [address["local"] for link in json.loads(told.stdout) for address in link.get("addr_info", [])]
            found.update(dict.fromkeys(addresses, namespace))
    return found


def holds(pod):
    """The domains in a pod, and the edge."""
    labels = pod["metadata"].get("labels", {})
    return {key.removeprefix("weft.dev/") for key in labels if key.startswith("weft.dev/")}


def is_declared(caller, callee, port_name, port, release, domains):
    if port_name in {"http", "admin"}:
        return True
    domain = next((domain for domain in domains if domain["port"] == port and domain["name"] in holds(callee)), None)
    if domain is None:
        return caller["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == release
    inside = holds(caller)
    return "edge" in inside or any(domain["name"] in other["calls"] for other in domains if other["name"] in inside)


def ports(pod):
    return [(port["name"], port["containerPort"]) for container in pod["spec"]["containers"] for port in container.get("ports", [])]


def main():
    release, everything = sys.argv[1], "--all" in sys.argv[3:]
    domains = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))["domains"]
    pods = running(json.load(sys.stdin)["items"])
    callees = [pod for pod in pods if pod["metadata"].get("labels", {}).get("app.kubernetes.io/instance") == release]
    entered, opened, refused, wrong = namespaces(), 0, 0, []
    for caller in pods:
        name = caller["metadata"]["name"]
        others = [(callee, *port) for callee in callees if callee is not caller for port in ports(callee)]
        targets = json.dumps([[callee["status"]["podIP"], port] for callee, _, port in others])
        namespace = entered[caller["status"]["podIP"]]
        told = subprocess.run(
            ["nsenter", f"--net={namespace}", sys.executable, "-c", TRY], input=targets, capture_output=True, text=True, check=True
        )
        for (callee, port_name, port), is_open in zip(others, json.loads(told.stdout), strict=True):
            expected = everything or is_declared(caller, callee, port_name, port, release, domains)
            opened += is_open
            refused += not is_open
            if is_open != expected:
                verb = "opens" if is_open else "does not open"
                wrong.append(f"{name} {verb} {callee['metadata']['name']} {port_name} ({port})")
    for line in wrong:
        print(line, file=sys.stderr)
    assert opened > 0 and (everything or refused > 0), f"{opened} opened and {refused} refused say nothing"
    outcome = "not as expected" if wrong else "as nothing is enforced" if everything else "as declared"
    print(f"from {len(pods)} pods {opened} connections opened and {refused} did not, {outcome}")
    sys.exit(1 if wrong else 0)


main()

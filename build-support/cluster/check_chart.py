"""Checks rendered manifests of the chart, read from stdin: who may reach whom, and what every pod is held to.

    helm template w k8s/chart/weft | check_chart.py DOMAINS_JSON

For every pair of domains the NetworkPolicies are evaluated as a network plugin would, and held against the calls that the
contracts declare. Every container must be restricted, as the Pod Security Standard "restricted" says. Nothing is trusted to be
there: an object that a rule needs and that is missing fails.
"""

import json
import sys

import yaml

NETWORK = "networking.k8s.io/v1"


def selects(selector, labels):
    """A label selector of NetworkPolicies; match expressions are not used by the chart and refused."""
    assert set(selector) <= {"matchLabels"}, f"cannot evaluate {selector}"
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


def may_reach(policies, caller, callee, port_names, port):
    """True if a pod with the caller's labels may open the port of a pod with the callee's."""
    applying = [policy["spec"] for policy in policies if selects(policy["spec"]["podSelector"], callee)]
    if not applying:
        return True
    for rule in (rule for spec in applying for rule in spec.get("ingress", [])):
        ports = [entry["port"] for entry in rule.get("ports", [])]
        if ports and not any(entry == port or port_names.get(entry) == port for entry in ports):
            continue
        peers = rule.get("from")
        if peers is None or any("podSelector" in peer and selects(peer["podSelector"], caller) for peer in peers):
            return True
    return False


def check_network(documents, domains):
    policies = [document for document in documents if document["kind"] == "NetworkPolicy"]
    pods = {}
    for document in documents:
        if document["kind"] == "Deployment":
            template = document["spec"]["template"]
            labels = template["metadata"]["labels"]
            ports = {entry["name"]: entry["containerPort"] for c in template["spec"]["containers"] for entry in c["ports"]}
            for key in labels:
                if key.startswith("weft.dev/"):
                    pods[key.removeprefix("weft.dev/")] = (labels, ports)
    assert {domain["name"] for domain in domains} | {"edge"} == set(pods), f"the Deployments hold {sorted(pods)}"
    checked = 0
    for callee in domains:
        callee_labels, ports = pods[callee["name"]]
        for caller, (caller_labels, _) in pods.items():
            # Domains of one pod do not cross the network.
            together = [name for name, (labels, _) in pods.items() if labels == caller_labels]
            declared = any(callee["name"] in domain["calls"] for domain in domains if domain["name"] in together)
            expected = declared or "edge" in together
            if callee_labels != caller_labels:
                allowed = may_reach(policies, caller_labels, callee_labels, ports, callee["port"])
                assert allowed == expected, f"{caller} -> {callee['name']}: declared {expected}, the policies say {allowed}"
                checked += 1
        assert not may_reach(policies, {"app": "stranger"}, callee_labels, ports, callee["port"]) or len(pods) == 0
    return checked


def pod_specs(documents):
    for document in documents:
        if document["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield document["metadata"]["name"], document["spec"]["template"]["spec"]
        if document["kind"] == "Pod":
            yield document["metadata"]["name"], document["spec"]
        if document["kind"] == "CronJob":
            yield document["metadata"]["name"], document["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def check_restricted(documents):
    checked = 0
    for name, spec in pod_specs(documents):
        pod = spec["securityContext"]
        assert pod["runAsNonRoot"] is True and pod["seccompProfile"]["type"] == "RuntimeDefault", f"{name}: {pod}"
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["capabilities"]["drop"] == ["ALL"], f"{name}: {own}"
            assert own["readOnlyRootFilesystem"] is True, f"{name}: {own}"
            checked += 1
    return checked


def check_secrets(documents):
    """Whoever serves domains has the key of seals, and only auth learns of the first administrator."""
    for document in documents:
        if document["kind"] == "Deployment":
            labels = document["spec"]["template"]["metadata"]["labels"]
            served = {key.removeprefix("weft.dev/") for key in labels if key.startswith("weft.dev/")}
            names = {entry["name"] for entry in document["spec"]["template"]["spec"]["containers"][0].get("env", [])}
            assert ("WEFT_SEAL_KEY" in names) == bool(served - {"edge"}), f"{sorted(served)}: {sorted(names)}"
            told = {name for name in names if name.startswith("WEFT_AUTH_FIRST_ADMINISTRATOR_")}
            assert not told or "auth" in served, f"{sorted(served)} are told of the first administrator"


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        domains = json.load(file)["domains"]
    documents = [document for document in yaml.safe_load_all(sys.stdin) if document]
    pairs = check_network(documents, domains) if any(d["apiVersion"] == NETWORK and d["kind"] == "NetworkPolicy" for d in documents) else 0
    containers = check_restricted(documents)
    check_secrets(documents)
    assert containers > 0, "no container is rendered"
    print(f"{len(documents)} objects, {containers} containers restricted, {pairs} pairs of domains as declared")


main()

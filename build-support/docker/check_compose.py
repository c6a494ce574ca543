"""Checks compose.yaml, and what it mounts, without an engine.

    check_compose.py

Every service is on the one network, has an image of a stated version, and a health check if others wait for it; only the edge has
a port of the machine; what is mounted is there; what reaches over the network names a service. Nothing is trusted to be there:
what a rule needs and is missing fails.
"""

import pathlib
import re

import yaml

FOLDER = pathlib.Path(__file__).parent
NAMES = re.compile(r"\b(database|redis|consul|domains|edge|collector|prometheus|loki|jaeger|grafana):\d+")


def volumes(service):
    for entry in service.get("volumes", []):
        source = re.sub(r"\$\{[^}]*\}", "/engine", entry).split(":", 1)[0]
        yield entry, source


def check_service(name, service, document):
    assert service["networks"] == ["weft"], f"{name} is on {service['networks']}"
    tag = re.sub(r"\$\{[A-Z_]+:-(.*)\}", r"\1", service["image"]).rpartition(":")[2]
    assert tag and tag != "latest" and "/" not in tag, f"{name}: {service['image']} has no version"
    assert ("ports" in service) == (name == "edge"), f"{name}: only the edge has a port of the machine"
    for entry, source in volumes(service):
        if source.startswith("."):
            assert (FOLDER / source).exists(), f"{name}: {entry} is not there"
            assert entry.endswith(":ro"), f"{name}: {entry} may be written"
        elif not source.startswith("/"):
            assert source in document["volumes"], f"{name}: there is no volume {source}"
    for other, wanted in service.get("depends_on", {}).items():
        condition = wanted["condition"]
        if condition == "service_healthy":
            assert "healthcheck" in document["services"][other], f"{name} waits for {other}, which has no health check"
        else:
            assert condition == "service_completed_successfully", f"{name}: {condition}"
            assert "restart" not in document["services"][other], f"{other} never completes"


def check_weft(name, service):
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"], f"{name} may more than it needs"
    assert "no-new-privileges:true" in service["security_opt"], f"{name} may gain privileges"


def check_collector(document):
    config = yaml.safe_load((FOLDER / "observability/collector.yaml").read_text(encoding="utf-8"))
    pipelines = config["service"]["pipelines"]
    for pipeline in pipelines.values():
        for kind in ("receivers", "processors", "exporters"):
            for part in pipeline[kind]:
                assert part in config[kind], f"the collector has no {kind[:-1]} {part}"
    for kind in ("receivers", "processors", "exporters"):
        unused = set(config[kind]) - {part for pipeline in pipelines.values() for part in pipeline[kind]}
        assert not unused, f"the collector does not use {sorted(unused)}"
    assert "otlphttp/loki" in pipelines["logs"]["exporters"] and "loki" in document["services"], "logs do not reach Loki"


def check_versions(services):
    """What scenarios/traces-and-logs.sh runs is what the images hold."""
    tools = (FOLDER / "../tools.env").read_text(encoding="utf-8")
    for name in ("collector", "jaeger", "loki"):
        version = re.search(rf"^{name.upper()}_VERSION=(.+)$", tools, re.MULTILINE).group(1)
        image = services[name]["image"]
        assert image.endswith(f":{version}"), f"{name}: {image} is not what tools.env has, {version}"


def main():
    document = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    services = document["services"]
    assert list(document["networks"]) == ["weft"], document["networks"]
    for name, service in services.items():
        check_service(name, service, document)
        if "/weft:" in service["image"]:
            check_weft(name, service)
    files = [FOLDER / "compose.yaml", *(FOLDER / "observability").glob("*.yaml")]
    named = {match.group(1) for file in files for match in NAMES.finditer(file.read_text(encoding="utf-8"))}
    assert named <= set(services), f"there is no service {sorted(named - set(services))}"
    unused = set(document["volumes"]) - {source for service in services.values() for _, source in volumes(service)}
    assert not unused, f"nobody uses the volumes {sorted(unused)}"
    check_collector(document)
    check_versions(services)
    print(f"compose: {len(services)} services, {len(document['volumes'])} volumes, one network, one port of the machine")


main()

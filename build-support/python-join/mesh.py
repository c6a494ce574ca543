"""How a Python program reaches a domain: its address by Consul, and mutual TLS with a mounted leaf."""

import json
import os
import pathlib
import urllib.request

import grpc

CERTIFICATES = pathlib.Path(os.environ.get("CERTIFICATES", "certificates"))
CONSUL = os.environ.get("CONSUL_HTTP_ADDR", "http://127.0.0.1:8500")


def leaf(workload):
    """The chain, the key and the roots of a workload, as they are mounted."""
    folder = CERTIFICATES / workload
    return tuple((folder / name).read_bytes() for name in ("tls.crt", "tls.key", "ca.crt"))


def channel(own, domain):
    """A channel to an instance of a domain, as the workload `own`.

    gRPC's Python client proves a server by DNS name: the domain's leaf has its name as one, beside the SPIFFE id.
    """
    with urllib.request.urlopen(f"{CONSUL}/v1/health/service/{domain}?passing") as answer:
        service = json.load(answer)[0]["Service"]
    chain, key, roots = leaf(own)
    credentials = grpc.ssl_channel_credentials(roots, key, chain)
    options = [("grpc.ssl_target_name_override", domain)]
    return grpc.secure_channel(f"{service['Address']}:{service['Port']}", credentials, options)

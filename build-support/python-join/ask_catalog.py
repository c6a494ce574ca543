"""Calls catalog as the workload that is named, for no user, and prints the status: `ask_catalog.py reports`."""

import sys
import uuid

import grpc
from weft.catalog.v1 import catalog_pb2, catalog_pb2_grpc

from mesh import channel

try:
    stub = catalog_pb2_grpc.CatalogStub(channel(sys.argv[1], "catalog"))
    stub.BatchGetVariants(catalog_pb2.BatchGetVariantsRequest(ids=[str(uuid.uuid4())]), timeout=5)
    print("OK")
except grpc.RpcError as error:
    print(error.code().name)

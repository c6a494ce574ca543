"""The domain `orders`, as far as placing an order goes, in Python: called by the edge, and a caller of catalog.

It keeps nothing. What it shows is the way in and out: mutual TLS with mounted leaves, whom a peer's SPIFFE id names,
deadlines, and handing on what vouches for the user.
"""

import sys
import uuid
from concurrent import futures

import grpc
from weft.catalog.v1 import catalog_pb2, catalog_pb2_grpc
from weft.orders.v1 import orders_pb2, orders_pb2_grpc

from mesh import channel, leaf

# Who vouches for the user, and what ties the log lines and spans of one request together.
HANDED_ON = {"weft-assertion-bin", "x-request-id", "traceparent", "tracestate"}
EDGE = b"spiffe://weft.local/domain/edge"


class Orders(orders_pb2_grpc.OrdersServicer):
    def __init__(self):
        self.catalog = catalog_pb2_grpc.CatalogStub(channel("orders", "catalog"))

    def CreateOrder(self, request, context):
        # Every workload of the mesh can connect: which of them may call is decided here.
        if context.auth_context().get("peer_spiffe_id") != [EDGE]:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "only the edge may place orders")
        metadata = [pair for pair in context.invocation_metadata() if pair[0] in HANDED_ON]
        try:
            found = self.catalog.BatchGetVariants(
                catalog_pb2.BatchGetVariantsRequest(ids=[line.variant_id for line in request.lines]),
                metadata=metadata,
                timeout=context.time_remaining(),
            )
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
        order = orders_pb2.Order(id=str(uuid.uuid4()), state=orders_pb2.Order.STATE_PLACED, note=request.note)
        for line, view in zip(request.lines, found.variants):
            price = view.variant.price
            order.total.currency_code = price.currency_code
            order.total.minor_units += price.minor_units * line.quantity
            order.lines.add(variant_id=line.variant_id, quantity=line.quantity, sku=view.variant.sku, name=view.product_name)
        return order


def main(port):
    server = grpc.server(futures.ThreadPoolExecutor(8))
    orders_pb2_grpc.add_OrdersServicer_to_server(Orders(), server)
    chain, key, roots = leaf("orders")
    server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([(key, chain)], roots, require_client_auth=True))
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main(int(sys.argv[1]))

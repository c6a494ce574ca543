// What a program in TypeScript does with a mesh, by the client that is generated from the contracts: an account, a product, an
// order, and a refusal whose reason is a value of the contract. `node smoke.js http://HOST:PORT`; exits with 1 if an answer is
// not what the contracts promise.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createClient, Code, ConnectError } from "@connectrpc/connect";
import type { Interceptor, Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { Auth } from "weft-client/weft/auth/v1/auth";
import { Catalog } from "weft-client/weft/catalog/v1/catalog";
import { Order_State, Orders, OrdersReason, OrdersReasonSchema } from "weft-client/weft/orders/v1/orders";
import { ErrorInfoSchema } from "weft-client/google/rpc/error_details";

const edge = process.argv[2];
assert(edge, "name the edge: http://HOST:PORT");

// The token of whoever is logged in goes with every call.
let token = "";
const authorized: Interceptor = (next) => async (request) => {
  if (token !== "") request.header.set("authorization", `Bearer ${token}`);
  return next(request);
};

async function order(name: string, transport: Transport): Promise<void> {
  const [auth, catalog, orders] = [createClient(Auth, transport), createClient(Catalog, transport), createClient(Orders, transport)];
  const account = { email: `${name}-${randomUUID()}@example.com`, password: "typed from end to end" };
  await auth.register(account);
  token = (await auth.login(account)).token;

  const product = await catalog.createProduct({
    product: { name: "Loom", variants: [{ sku: `LOOM-${randomUUID()}`, price: { currencyCode: "EUR", minorUnits: 1250n } }] },
  });
  const variantId = product.variants[0]?.id;
  assert(variantId);

  const lines = [{ variantId, quantity: 2 }];
  const options = { headers: { "idempotency-key": randomUUID() } };
  const placed = await orders.createOrder({ lines }, options);
  assert.equal(placed.state, Order_State.PLACED);
  assert.equal(placed.total?.minorUnits, 2500n);
  const again = await orders.createOrder({ lines }, options);
  assert.equal(again.id, placed.id, "one key, one order");

  const refused = await orders.getOrder({ id: randomUUID() }).then(
    () => assert.fail("an order that nobody placed was found"),
    (error: unknown) => ConnectError.from(error),
  );
  assert.equal(refused.code, Code.NotFound);
  const [info] = refused.findDetails(ErrorInfoSchema);
  const reason = OrdersReasonSchema.value[OrdersReason.ORDER_NOT_FOUND];
  assert(reason && info && reason.name.endsWith(info.reason), `the reason is ${info?.reason}`);
  console.log(`${name}: order ${placed.id} of ${placed.total?.minorUnits} ${placed.total?.currencyCode}, refused as ${info.reason}`);
}

const settings = { baseUrl: edge, interceptors: [authorized] };
await order("connect", createConnectTransport({ ...settings, httpVersion: "1.1" }));
token = "";
await order("grpc", createGrpcTransport(settings));

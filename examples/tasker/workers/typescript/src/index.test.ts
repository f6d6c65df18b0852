import { expect, test } from "bun:test";

import manifest from "../package.json";
import { queueName, request, VERSION } from "./index";

test("the version is the package's", () => {
  expect(VERSION).toBe(manifest.version);
});

test("a request names queue and step", () => {
  expect(request("orders", "refund")).toBe("POST /v1/queues/worker_orders_queue/refund");
});

test("a wrong namespace is refused", () => {
  expect(() => queueName("Orders!")).toThrow("lowercase");
});

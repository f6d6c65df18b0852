import { version } from "../package.json";

/** This package's version. */
export const VERSION: string = version;

/** The name of a namespace's queue: `orders` has `worker_orders_queue`. */
export function queueName(namespace: string): string {
  if (!/^[a-z0-9_]+$/.test(namespace)) {
    throw new RangeError(`${namespace} is no namespace: use lowercase letters, digits and _`);
  }
  return `worker_${namespace}_queue`;
}

/** The request that asks a server to do a step. */
export function request(namespace: string, step: string): string {
  return `POST /v1/queues/${queueName(namespace)}/${step}`;
}

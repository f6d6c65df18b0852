# frozen_string_literal: true

# No test framework: the bundle holds what building needs, and nothing else.
require "tasker_core"

def check(what, expected, actual)
  abort "#{what}: expected #{expected.inspect}, got #{actual.inspect}" unless expected == actual
end

check "core version", TaskerCore::RUST_CORE_VERSION, TaskerCore.core_version
check "request", "POST /v1/queues/worker_orders_queue/refund", TaskerCore.request("orders", "refund")
begin
  TaskerCore.request("Orders!", "refund")
  abort "a wrong namespace was accepted"
rescue ArgumentError => e
  check "reason", "Orders! is no namespace: use lowercase letters, digits and _", e.message
end

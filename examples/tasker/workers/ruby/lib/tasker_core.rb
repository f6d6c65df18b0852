# frozen_string_literal: true

require "tasker_core/version"
require "tasker_core/tasker_core" # the native extension

# Tasker for Ruby. The native extension adds +core_version+ and +request+.
module TaskerCore
  class Error < StandardError; end

  unless core_version == RUST_CORE_VERSION
    raise Error, "the native extension was built with Tasker #{core_version}, not #{RUST_CORE_VERSION}: compile it again"
  end
end

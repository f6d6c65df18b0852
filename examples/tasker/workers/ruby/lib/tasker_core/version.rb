# frozen_string_literal: true

module TaskerCore
  VERSION = "0.1.0"

  # The crates that the native extension is built with.
  RUST_CORE_VERSION = "0.1.0"
end

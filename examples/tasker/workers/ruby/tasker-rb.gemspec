# frozen_string_literal: true

require_relative "lib/tasker_core/version"

Gem::Specification.new do |spec|
  spec.name = "tasker-rb"
  spec.version = TaskerCore::VERSION
  spec.authors = ["Tasker Systems"]
  spec.summary = "Tasker for Ruby"
  spec.description = "Tasker for Ruby. Installing it compiles a native extension: cargo and protoc are needed."
  spec.homepage = "https://github.com/tasker-systems/tasker-core"
  spec.license = "MIT"
  spec.required_ruby_version = ">= 3.0"
  spec.metadata = { "rubygems_mfa_required" => "true", "source_code_uri" => spec.homepage }

  # By name and sorted: what a build leaves behind never ships, and the order is the same on every machine.
  spec.files = Dir.chdir(__dir__) do
    Dir.glob(["LICENSE", "README.md", "lib/**/*.rb", "ext/tasker_core/{Cargo.toml,build.rs,extconf.rb,src/**/*.rs}"]).sort
  end
  spec.extensions = ["ext/tasker_core/extconf.rb"]
  spec.require_paths = ["lib"]
end

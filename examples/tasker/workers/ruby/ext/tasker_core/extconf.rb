# frozen_string_literal: true

# Writes the Makefile that both `rake compile` (in the workspace) and `gem install` (anywhere) run: cargo builds the
# library, `make install` puts it where Ruby looks. No mkmf: there is no C to configure.

require "rbconfig"
require "shellwords"

source = File.expand_path(__dir__)
manifest = File.join(source, "Cargo.toml")
cargo = ENV.fetch("CARGO", "cargo")
# `gem install` builds in the source folder itself, rake-compiler in a folder of its own.
installing = Dir.pwd == source

# A gem may lie inside another Rust project (vendor/bundle): without this, cargo takes it for a member of that one.
if installing && File.readlines(manifest).none? { |line| line.start_with?("[workspace]") }
  File.write(manifest, "\n[workspace]\n", mode: "a")
end

root = IO.popen([cargo, "locate-project", "--workspace", "--message-format=plain", "--manifest-path", manifest], &:read)
abort "#{cargo} is needed to compile tasker-rb: https://rustup.rs" unless $?.success?
# In the workspace a build must never touch Cargo.lock; a gem has none.
locked = File.exist?(File.join(File.dirname(root.chomp), "Cargo.lock")) ? " --locked" : ""

target = ENV.fetch("CARGO_TARGET_DIR") { File.join(Dir.pwd, "target") }
library = case RbConfig::CONFIG["host_os"]
          when /darwin/ then "libtasker_core_rb.dylib"
          when /mingw|mswin/ then "tasker_core_rb.dll"
          else "libtasker_core_rb.so"
          end
extension = "tasker_core.#{RbConfig::CONFIG["DLEXT"]}"
build = "#{cargo.shellescape} build --release#{locked} --manifest-path #{manifest.shellescape} --target-dir #{target.shellescape}"
# Megabytes that nobody needs once the gem is installed.
leftover = installing && !ENV.key?("CARGO_TARGET_DIR") ? "rm -rf #{target.shellescape}" : ":"

File.write("Makefile", <<~MAKEFILE)
  DESTDIR =
  sitearchdir = #{RbConfig::CONFIG["sitearchdir"]}
  target_prefix = /tasker_core
  folder = $(DESTDIR)$(sitearchdir)$(target_prefix)

  all: #{extension}

  #{extension}: always
  \t#{build}
  \tcp #{File.join(target, "release", library).shellescape} $@

  install:
  \tmkdir -p "$(folder)"
  \tinstall -m 0755 #{extension} "$(folder)/#{extension}"
  \t#{leftover}

  clean:
  \trm -f #{extension}

  always:

  .PHONY: all install clean always
MAKEFILE

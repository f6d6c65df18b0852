# What one would do by hand, phase by phase; the sleeps between phases are added by who calls it.
# SOURCE, OUT, RUBYGEMS, PYPI, NPM and the clients' tokens come from the environment.
set -euo pipefail
cd "$SOURCE"
for crate in tasker-pgmq tasker-shared tasker-client tasker-orchestration tasker-worker tasker-cli; do
  cargo publish -p "$crate" --locked --registry rehearsal
done
cd "$SOURCE/workers/ruby"
bundle install
bundle exec rake compile
gem build tasker-rb.gemspec --output "$OUT/tasker-rb.gem"
gem push "$OUT/tasker-rb.gem" --host "$RUBYGEMS"
cd "$SOURCE/workers/python"
maturin build --release --locked --out "$OUT"
uv publish --publish-url "$PYPI" --trusted-publishing never "$OUT"/*.whl
cd "$SOURCE/workers/typescript"
bun install --frozen-lockfile
bun run build
npm pack --pack-destination "$OUT" --ignore-scripts
npm publish "$OUT"/*.tgz --access public --tag alpha --registry "$NPM" --ignore-scripts

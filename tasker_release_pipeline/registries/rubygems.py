"""RubyGems: the versions API, and `gem push`."""

from urllib.parse import quote

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.base import BaseClient
from tasker_release_pipeline.registries.client_env import client_env
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.registries.model import Holdings, RegistryFile, Upload
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.toolchains.runner import run

_HOOK = "tasker_rehearsal_push"
# A gemspec may name the one host that it may be pushed to, which `gem push` then insists on. On loopback the public
# host's name stands for its stand-in; any other name is refused as it would be in earnest.
_HOOK_TEXT = f"""\
require "rubygems"
require "rubygems/gemcutter_utilities"

module TaskerRehearsalPush
  def rubygems_api_request(method, path, host = nil, allowed_push_host = nil, **options, &block)
    allowed_push_host = nil if allowed_push_host.to_s.chomp("/") == "{LIVE.rubygems}"
    super(method, path, host, allowed_push_host, **options, &block)
  end
end
Gem::GemcutterUtilities.prepend TaskerRehearsalPush
"""


class RubyGemsClient(BaseClient):
    """A RubyGems host."""

    registry = RegistryName.RUBYGEMS

    def holdings(self, name: str) -> Holdings:
        """One entry for each platform of each version. Yanked ones are not told: their upload is refused."""
        url = f"{self.endpoints.rubygems}/api/v1/versions/{quote(name, safe='')}.json"
        entries = http.get_json(url)
        if entries is None:
            return Holdings()
        try:
            files = tuple(self._file(name, entry) for entry in reversed(entries))
        except (ValueError, KeyError, TypeError) as error:
            raise http.malformed(url, error) from None
        return Holdings(versions=tuple(dict.fromkeys(f.version for f in files)), files=files)

    def page(self, name: str, version: str) -> str:
        """The gem's page."""
        if self.live:
            return f"{self.endpoints.rubygems}/gems/{name}/versions/{version}"
        return f"{self.endpoints.rubygems}/api/v1/versions/{name}.json"

    def upload(self, upload: Upload, credentials: Credentials) -> None:
        """Push each gem. `gem` itself sends a dropped request once more, and reports its own first success as 409."""
        home = upload.scratch / "gem-home"
        home.mkdir(parents=True, exist_ok=True)
        env = client_env(self.endpoints.rubygems, home)
        if not self.live:
            (home / f"{_HOOK}.rb").write_text(_HOOK_TEXT)
            env |= {"RUBYLIB": str(home), "RUBYOPT": f"-r{_HOOK}"}
        for file in upload.files:
            run(
                # Verbose, as only then it tells the status of a refusal.
                ["gem", "push", "--verbose", str(file.absolute()), "--host", self.endpoints.rubygems],
                cwd=home,
                seconds=upload.seconds,
                log=upload.log,
                # Asked for each: a minted key may have grown old over the push before.
                env={**env, "GEM_HOST_API_KEY": credentials.needed(self.registry)},
                secrets=credentials.secrets,
                logfile=upload.logfile,
            )

    def _file(self, name: str, entry: dict[str, str]) -> RegistryFile:
        number, platform = entry["number"], entry.get("platform") or "ruby"
        file = f"{name}-{number}.gem" if platform == "ruby" else f"{name}-{number}-{platform}.gem"
        return RegistryFile(
            version=number, file=file, sha256=entry.get("sha") or None, url=f"{self.endpoints.rubygems}/gems/{file}"
        )

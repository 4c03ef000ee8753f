"""The settings that every program shares: where the state lies and how the S3 server is reached.

They come from `URETIMIQ_*` environment variables; what `make up` has generated for a home (ports, keys) lies in
`settings.env` in that home and is used where the environment says nothing. A secret may also lie in a file, which the
variable with `_FILE` after its name names, or in Vault: `vault:MOUNT/data/PATH#FIELD`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.contract import Contract, Zone
from expectations.vault import Vault, VaultError, read_file

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

PREFIX, VAULT = "URETIMIQ_", "vault:"


class SettingsError(ValueError):
    """A setting that cannot be used; the message is one line with its name, its value and the remedy."""


def _secret() -> Any:
    """A setting that is shown nowhere, and may lie in a file or in Vault."""
    return field(default="", repr=False, metadata={"secret": True})


@dataclass(frozen=True)
class Settings:
    """All settings. The name of a field in capitals, after URETIMIQ_, is its environment variable."""

    home: Path = Path(".uretimiq")
    port: int = 8300  # API; the other servers lie at fixed distances from it, see below
    lake: str = ""  # URI of the lake: a folder or s3://bucket/prefix; default HOME/lake
    landing: str = "s3://landing"
    s3_endpoint: str = ""  # default: the S3 server of `make up`
    s3_region: str = "us-east-1"
    s3_access_key: str = ""
    s3_secret_key: str = _secret()
    mlflow_uri: str = ""  # default: SQLite in HOME
    spark_master: str = "local[*]"
    spark_memory: str = "3g"
    environment: str = "development"
    tenants: str = ""  # default tenants of a run, comma-separated; empty for all
    gateway: str = ""  # name of the gateway that `uretimiq-edge` is; default: the machine's name
    data: str = "../shared/data"  # real data for tests and examples
    state: str = _secret()  # users, keys and the audit log: postgresql://...; default: SQLite in HOME
    secret_key: str = _secret()  # signs tokens, seals second factors; made in HOME in development
    oidc_client_secret: str = _secret()  # of the company's own login, see HOME/oidc.yaml
    redis: str = _secret()  # counts rate limits of several processes together: redis://...
    hosts: str = ""  # names by which the API is called, comma-separated; loopback alone if empty
    proxies: str = ""  # addresses of proxies of which X-Forwarded-For is believed, comma-separated
    origins: str = ""  # pages elsewhere that may call the API (CORS), comma-separated
    rate_user: int = 3000  # requests a minute of one user or key
    rate_address: int = 6000  # requests a minute from one address
    rate_sign_in: int = 30  # sign-ins a minute from one address
    airflow_url: str = ""  # addresses that the page links to, where there are such: http(s)://...
    mlflow_url: str = ""
    data_docs_url: str = ""
    log_level: str = "INFO"

    @property
    def port_s3(self) -> int:
        return self.port + 33

    @property
    def port_mlflow(self) -> int:
        return self.port + 50

    @property
    def port_airflow(self) -> int:
        return self.port + 80

    @property
    def lake_uri(self) -> str:
        return self.lake.rstrip("/") or str(self.home / "lake")

    @property
    def s3_url(self) -> str:
        return self.s3_endpoint or f"http://127.0.0.1:{self.port_s3}"

    @property
    def landing_bucket(self) -> str:
        return self.landing.removeprefix("s3://").split("/")[0]

    @property
    def tracking_uri(self) -> str:
        return self.mlflow_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    def place(self, contract: Contract, zone: Zone | None = None) -> str:
        """URI of the table of `contract` in `zone` (for a landed table bronze or silver; its own zone if None)."""
        return f"{self.lake_uri}/{zone or contract.zone}/{contract.name}"

    @property
    def delta_rs_options(self) -> dict[str, str]:
        """Storage options of delta-rs for the lake; empty for a folder."""
        if not self.lake_uri.startswith("s3://"):
            return {}
        return {
            "AWS_ENDPOINT_URL": self.s3_url,
            "AWS_REGION": self.s3_region,
            "AWS_ACCESS_KEY_ID": self.s3_access_key,
            "AWS_SECRET_ACCESS_KEY": self.s3_secret_key,
            "AWS_ALLOW_HTTP": "true",
        }

    def arrow_files(self, place: str) -> FileSystem:
        """The files below `place` of the lake, as Arrow reads them by itself.

        Every Arrow dataset of a Delta table takes these: delta-rs's own are Python code, which Arrow's threads still
        call while the interpreter ends, and that aborts a short program after its work is done.
        """
        from pyarrow import fs

        if not self.lake_uri.startswith("s3://"):
            return fs.SubTreeFileSystem(place, fs.LocalFileSystem())
        scheme, _, address = self.s3_url.partition("://")
        store = fs.S3FileSystem(
            access_key=self.s3_access_key,
            secret_key=self.s3_secret_key,
            region=self.s3_region,
            scheme=scheme,
            endpoint_override=address,
            connect_timeout=5,
            request_timeout=60,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=3),
        )
        return fs.SubTreeFileSystem(place.removeprefix("s3://"), store)


def _from_file(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings. Raises SettingsError for an unknown name or a bad value."""
    given = {k: v for k, v in (os.environ if environ is None else environ).items() if k.startswith(PREFIX)}
    home = Path(given.get(PREFIX + "HOME") or ".uretimiq").expanduser().resolve()
    merged = {**_from_file(home / "settings.env"), **given}
    known = {f.name: f for f in fields(Settings)}
    vault = Vault(os.environ if environ is None else environ)
    values: dict[str, object] = {}
    for key, text in merged.items():
        name, is_file = key.removeprefix(PREFIX).lower(), False
        if name not in known and name.removesuffix("_file") in _secrets():
            name, is_file = name.removesuffix("_file"), True
        if name not in known:
            raise SettingsError(f"{key}: no such setting; there are {', '.join(PREFIX + k.upper() for k in known)}")
        if name in values:
            raise SettingsError(f"{PREFIX}{name.upper()} is given twice, once with _FILE: leave one out")
        values[name] = _found(key, text, is_file, vault) if name in _secrets() else text
    values["home"] = home
    for name, parse in _PARSED.items():
        if name in values:
            values[name] = parse(name, str(values[name]))
    settings = Settings(**values)  # type: ignore[arg-type]
    if settings.environment not in ("development", "production"):
        raise SettingsError(f"{PREFIX}ENVIRONMENT={settings.environment}: use development or production")
    if not settings.landing.startswith("s3://"):
        raise SettingsError(f"{PREFIX}LANDING={settings.landing}: use an s3:// address")
    return settings


def _secrets() -> set[str]:
    return {f.name for f in fields(Settings) if f.metadata.get("secret")}


def _found(key: str, text: str, is_file: bool, vault: Vault) -> str:
    """The secret itself, wherever it lies."""
    try:
        text = read_file(Path(text)) if is_file else text
        return vault.field(text.removeprefix(VAULT)) if text.startswith(VAULT) else text
    except VaultError as error:
        raise SettingsError(f"{key}: {error}") from error


def _port(name: str, text: str) -> int:
    if not text.isdigit() or not 1024 <= int(text) <= 45000:
        raise SettingsError(f"{PREFIX}{name.upper()}={text}: use a number from 1024 to 45000")
    return int(text)


def _rate(name: str, text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000_000:
        raise SettingsError(f"{PREFIX}{name.upper()}={text}: use a number of requests a minute, 1 or more")
    return int(text)


def _url(name: str, text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise SettingsError(f"{PREFIX}{name.upper()}={text}: use an address that a browser opens, http:// or https://")
    return text.rstrip("/")


_PARSED: dict[str, Callable[[str, str], object]] = {
    "port": _port,
    **dict.fromkeys(("rate_user", "rate_address", "rate_sign_in"), _rate),
    **dict.fromkeys(("airflow_url", "mlflow_url", "data_docs_url"), _url),
}

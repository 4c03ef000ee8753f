"""Secrets from the environment, from files and from Vault, over real HTTP; each error is one line without a secret."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from expectations.settings import SettingsError, load

KEY = "k7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5a"
PLACE = "vault:secret/data/uretimiq#secret_key"


@pytest.fixture
def home(tmp_path):
    return {"URETIMIQ_HOME": str(tmp_path)}


@pytest.fixture
def vault():
    """Speaks the two endpoints: AppRole's sign-in, and a secret of the KV engine's second version."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            form = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            is_right = self.path == "/v1/auth/approle/login" and form == {"role_id": "r", "secret_id": "s"}
            self.answer(200 if is_right else 400, {"auth": {"client_token": "t"}} if is_right else {"errors": []})

        def do_GET(self):
            asked.append((self.path, self.headers.get("X-Vault-Namespace")))
            secrets = {"/v1/secret/data/uretimiq": {"secret_key": KEY, "number": 5, "empty": ""}}
            if self.headers.get("X-Vault-Token") != "t":
                self.answer(403, {"errors": ["permission denied"]})
            elif self.path == "/v1/secret/data/broken":
                self.answer(200, ["no object"])
            elif self.path in secrets:
                self.answer(200, {"data": {"data": secrets[self.path], "metadata": {"version": 3}}})
            else:
                self.answer(404, {"errors": []})

        def answer(self, status, content):
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"VAULT_ADDR": f"http://127.0.0.1:{server.server_port}"}, asked
    server.shutdown()
    server.server_close()


def refused(environ, said):
    with pytest.raises(SettingsError) as told:
        load(environ)
    assert said in str(told.value)
    assert "\n" not in str(told.value)
    assert KEY not in str(told.value)


def test_a_secret_is_taken_from_the_environment(home):
    assert load(home | {"URETIMIQ_SECRET_KEY": KEY}).secret_key == KEY


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_is_taken_from_a_file_without_the_lines_end(home, tmp_path, end):
    (tmp_path / "key").write_text(KEY + end, newline="")

    assert load(home | {"URETIMIQ_SECRET_KEY_FILE": str(tmp_path / "key")}).secret_key == KEY


def test_every_secret_may_lie_in_a_file_and_nothing_else(home, tmp_path):
    (tmp_path / "x").write_text("x")
    for name in ("S3_SECRET_KEY", "STATE", "SECRET_KEY", "OIDC_CLIENT_SECRET", "REDIS"):
        assert getattr(load(home | {f"URETIMIQ_{name}_FILE": str(tmp_path / "x")}), name.lower()) == "x"

    refused(home | {"URETIMIQ_PORT_FILE": str(tmp_path / "x")}, "URETIMIQ_PORT_FILE: no such setting")


def test_a_secret_under_a_misspelt_name_is_not_repeated(home):
    refused(home | {"URETIMIQ_SECRETKEY": KEY}, "URETIMIQ_SECRETKEY: no such setting")


def test_a_file_that_is_not_there_is_told(home, tmp_path):
    environ = home | {"URETIMIQ_SECRET_KEY_FILE": str(tmp_path / "none")}

    refused(environ, f"URETIMIQ_SECRET_KEY_FILE: {tmp_path}/none cannot be read: No such file or directory")


def test_a_secret_given_twice_is_told(home, tmp_path):
    (tmp_path / "key").write_text(KEY)
    both = {"URETIMIQ_SECRET_KEY": KEY, "URETIMIQ_SECRET_KEY_FILE": str(tmp_path / "key")}

    refused(home | both, "URETIMIQ_SECRET_KEY is given twice")


@pytest.mark.parametrize("by", [{"VAULT_TOKEN": "t"}, {"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}])
def test_a_secret_is_taken_from_vault(home, vault, by):
    assert load(home | vault[0] | by | {"URETIMIQ_SECRET_KEY": PLACE}).secret_key == KEY


def test_a_token_for_vault_may_lie_in_a_file_and_so_may_the_place(home, vault, tmp_path):
    (tmp_path / "token").write_text("t\n")
    (tmp_path / "place").write_text(PLACE)
    files = {"VAULT_TOKEN_FILE": str(tmp_path / "token"), "URETIMIQ_SECRET_KEY_FILE": str(tmp_path / "place")}

    assert load(home | vault[0] | files).secret_key == KEY


def test_a_secret_with_several_fields_is_asked_for_once_in_its_namespace(home, vault):
    more = {"VAULT_TOKEN": "t", "VAULT_NAMESPACE": "plant", "URETIMIQ_SECRET_KEY": PLACE, "URETIMIQ_REDIS": PLACE}

    load(home | vault[0] | more)

    assert vault[1] == [("/v1/secret/data/uretimiq", "plant")]


def test_what_is_no_secret_is_not_looked_for_in_vault(home, vault):
    load(home | vault[0] | {"URETIMIQ_GATEWAY": PLACE})

    assert vault[1] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"VAULT_TOKEN": "wrong"}, "URETIMIQ_SECRET_KEY: Vault answers 403 to secret/data/uretimiq: check"),
        ({"VAULT_TOKEN": ""}, "set VAULT_TOKEN, or VAULT_ROLE_ID and VAULT_SECRET_ID"),
        ({"VAULT_TOKEN": "", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "x"}, "Vault answers 400 to auth/approle/login"),
        ({"URETIMIQ_SECRET_KEY": "vault:secret/data/other#x"}, "Vault answers 404 to secret/data/other"),
        ({"URETIMIQ_SECRET_KEY": "vault:secret/data/uretimiq#none"}, "secret/data/uretimiq has no field none"),
        ({"URETIMIQ_SECRET_KEY": "vault:secret/data/uretimiq#number"}, "has no field number"),
        ({"URETIMIQ_SECRET_KEY": "vault:secret/data/uretimiq#empty"}, "has no field empty"),
        ({"URETIMIQ_SECRET_KEY": "vault:secret/data/broken#x"}, "secret/data/broken has no field x"),
        ({"URETIMIQ_SECRET_KEY": "vault:secret/uretimiq"}, "give MOUNT/data/PATH#FIELD"),
        ({"VAULT_ADDR": ""}, "VAULT_ADDR=: use https://"),
        ({"VAULT_ADDR": "http://vault.example"}, "VAULT_ADDR=http://vault.example: use https://"),
        ({"VAULT_ADDR": "file:///etc/passwd"}, "use https://"),
        ({"VAULT_ADDR": "http://127.0.0.1:9"}, "Vault at http://127.0.0.1:9 does not answer as it should"),
    ],
)
def test_what_vault_does_not_give_is_told(home, vault, change, said):
    refused(home | vault[0] | {"VAULT_TOKEN": "t", "URETIMIQ_SECRET_KEY": PLACE} | change, said)


@pytest.mark.parametrize("text", ["0", "-1", "many", "1.5", "99999999999"])
@pytest.mark.parametrize("name", ["RATE_USER", "RATE_ADDRESS", "RATE_SIGN_IN"])
def test_a_rate_that_is_none_is_told(home, name, text):
    refused(home | {f"URETIMIQ_{name}": text}, f"URETIMIQ_{name}={text}: use a number of requests a minute")


@pytest.mark.parametrize("text", ["javascript:alert(1)", "file:///etc", "airflow.example", "//airflow.example"])
def test_a_link_that_a_page_cannot_open_is_refused(home, text):
    with pytest.raises(SettingsError, match=r"URETIMIQ_AIRFLOW_URL=.*use an address that a browser opens"):
        load(home | {"URETIMIQ_AIRFLOW_URL": text})


def test_a_link_is_kept_without_the_stroke_at_its_end(home):
    assert load(home | {"URETIMIQ_MLFLOW_URL": "https://mlflow.example/"}).mlflow_url == "https://mlflow.example"

"""A small OpenID provider on loopback: real HTTP, real keys, real signatures. What a test sets it gets wrong."""

from __future__ import annotations

import base64
import functools
import json
import secrets
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from serving.identity.oidc import challenge

CLIENT, CLIENT_SECRET = "uretimiq", "the client's own"


@dataclass
class Provider:
    """Signs in `user` without asking. `change` and `discovery` are laid over what it would rightly say."""

    now: Any
    user: dict[str, Any] = field(default_factory=lambda: {"sub": "248289761001", "preferred_username": "Fatma"})
    groups: list[str] = field(default_factory=lambda: ["planners"])
    change: dict[str, Any] = field(default_factory=dict)
    discovery: dict[str, Any] = field(default_factory=dict)
    sign: Any = None  # in place of the right signature: claims -> token
    is_down: bool = False
    secret: str = CLIENT_SECRET
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.codes: dict[str, dict[str, str]] = {}
        self.kid, self.key, self.algorithm = "first", _first_key(), "RS256"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.issuer = f"http://127.0.0.1:{self._server.server_port}/realms/plant"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def turn_keys(self, kid: str, curve: bool = False) -> None:
        """Sign by a new key from now on."""
        self.kid = kid
        self.key = (
            ec.generate_private_key(ec.SECP256R1())
            if curve
            else rsa.generate_private_key(public_exponent=65537, key_size=2048)
        )
        self.algorithm = "ES256" if curve else "RS256"

    def jwks(self) -> dict[str, Any]:
        made = jwt.get_algorithm_by_name(self.algorithm).to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [made | {"kid": self.kid, "use": "sig", "alg": self.algorithm}]}

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser is sent once the user has signed in."""
        assert (query["response_type"], query["code_challenge_method"]) == ("code", "S256")
        assert "openid" in query["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state'], 'iss': self.issuer})}"

    def token(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        """The answer to a code, if all is as it was asked."""
        asked = self.codes.pop(form.get("code", ""), None)
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{self.secret}".encode()).decode()
        is_right = asked and (
            form["redirect_uri"] == asked["redirect_uri"]
            and challenge(form["code_verifier"]) == asked["code_challenge"]
            and (not self.secret or authorization == expected)
        )
        if not asked or not is_right:
            return None
        now = int(self.now().timestamp())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        claims |= self.user | {"groups": self.groups} | self.change
        claims = {name: value for name, value in claims.items() if value is not None}
        token = (
            self.sign(claims) if self.sign else jwt.encode(claims, self.key, self.algorithm, headers={"kid": self.kid})
        )
        return {"access_token": "unused", "token_type": "Bearer", "id_token": token}


@functools.cache
def _first_key() -> Any:
    """Shared by all providers: making one takes a fifth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _handler(provider: Provider) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            provider.asked.append(parts.path)
            if provider.is_down:
                self.send(503, {})
            elif parts.path.endswith("/.well-known/openid-configuration"):
                base = provider.issuer
                told = {
                    "issuer": base,
                    "authorization_endpoint": f"{base}/authorize",
                    "token_endpoint": f"{base}/token",
                }
                self.send(200, told | {"jwks_uri": f"{base}/jwks"} | provider.discovery)
            elif parts.path.endswith("/jwks"):
                self.send(200, provider.jwks())
            else:
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                self.send_response(302)
                self.send_header("Location", provider.authorize(query))
                self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            answer = provider.token(dict(parse_qsl(body)), self.headers.get("Authorization", ""))
            self.send(200 if answer else 400, answer or {"error": "invalid_grant"})

        def send(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler

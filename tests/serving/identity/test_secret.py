"""The server's own secret: none that is common, none by default outside development."""

from dataclasses import replace

import pytest

from expectations.settings import SettingsError
from serving.identity.secret import Secret, load
from serving.identity.tokens import AccessTokens, TokenError

GOOD, OTHER = "k7Zt0pQ2vXw9LrB4mN8cY1sD6fG3hJ5a", "Q9mW3nB7vC1xZ5lK8jH4gF2dS6aP0oIu"


@pytest.mark.parametrize(
    "key",
    ["short", "x" * 64, "0123456789" * 4 + "secret", "changeme-changeme-changeme-0123456789", " , ", f"{GOOD},weak"],
)
def test_a_weak_secret_is_refused_and_not_repeated(plant, key):
    with pytest.raises(SettingsError, match="URETIMIQ_SECRET_KEY is too weak") as told:
        load(replace(plant.settings, environment="production", secret_key=key))

    assert key not in str(told.value)


def test_outside_development_a_secret_must_be_given(plant):
    with pytest.raises(SettingsError, match="URETIMIQ_SECRET_KEY is missing: outside development"):
        load(replace(plant.settings, environment="production"))


def test_a_good_secret_is_taken_outside_development(plant):
    load(replace(plant.settings, environment="production", secret_key=GOOD))


def test_in_development_one_is_made_for_the_home_and_kept(plant, tmp_path):
    first, again = load(plant.settings), load(plant.settings)
    other = load(replace(plant.settings, home=tmp_path / "other"))

    assert first.signing == again.signing != other.signing
    assert (plant.settings.home / "state" / "secret.key").stat().st_mode & 0o077 == 0


def test_an_older_secret_still_reads_but_signs_no_more(clock):
    old = AccessTokens(Secret((OTHER,)), lambda: clock.now)
    both = AccessTokens(Secret((GOOD, OTHER)), lambda: clock.now)
    new = AccessTokens(Secret((GOOD,)), lambda: clock.now)

    assert both.read(old.issue("u", "s")).user_id == "u"
    assert new.read(both.issue("u", "s")).user_id == "u"
    with pytest.raises(TokenError):
        new.read(old.issue("u", "s"))


def test_what_was_sealed_by_a_secret_that_is_gone_is_not_opened():
    sealed = Secret((OTHER,)).seal("text")

    assert Secret((GOOD, OTHER)).open(sealed) == "text"
    assert Secret((GOOD,)).open(sealed) is None


def test_a_secret_shows_itself_nowhere(plant):
    settings = replace(plant.settings, secret_key=GOOD, state="postgresql://x:geheim@y/z", redis="redis://:geheim@y")

    assert GOOD not in repr(settings)
    assert "geheim" not in repr(settings)

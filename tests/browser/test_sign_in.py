"""Signing in by the page: password, code, lock-out, the session that goes on by itself, and its end."""

import pyotp
import pytest
import segno
from test_every_view import assert_accessible


@pytest.fixture
def page(site, make_page):
    return make_page(site)


def alert(page):
    page.locator("[role=alert]").wait_for()
    return page.locator("[role=alert]").inner_text()


def actions(site):
    """What the audit log tells of."""
    return {row["action"] for row in site.identity.audit.page(None, 1000)}


def heading(page, text):
    page.get_by_role("heading", name=text, level=1).wait_for()


def test_a_user_signs_in_and_finds_the_overview_of_his_company(site, page, enter):
    enter(page, site)

    heading(page, "Genel bakış")
    assert page.locator(".who").inner_text() == "ayse"
    assert page.url.endswith("/app/#/acme/overview")


def test_a_wrong_password_is_told_without_saying_what_was_wrong(site, page, enter):
    enter(page, site, password="yanlış parola")

    assert "Kullanıcı adı, parola veya kod yanlış" in alert(page)
    assert page.locator("[name=password]").is_visible()


def test_too_many_tries_are_told_with_the_time_to_wait(site, page, enter):
    enter(page, site, password="yanlış parola")
    alert(page)
    for _ in range(5):
        with page.expect_response("**/sign-in"):
            page.get_by_role("button", name="Oturum aç").click()

    page.get_by_text("Çok fazla hatalı deneme").wait_for()
    assert "30 saniye bekleyin" in alert(page)


def test_a_second_factor_is_asked_for_and_a_wrong_code_refused(site, page, enter):
    site.user("emel")
    site.second_factor("emel")
    page.goto("/")
    page.get_by_label("Kullanıcı adı").fill("emel")
    page.get_by_label("Parola").fill("korrekt pferd batterie")
    page.keyboard.press("Enter")
    page.get_by_label("Doğrulama kodu").fill("000000")
    page.keyboard.press("Enter")
    assert "kod yanlış" in alert(page)

    page.get_by_label("Doğrulama kodu").fill(site.code("emel"))
    page.keyboard.press("Enter")

    heading(page, "Genel bakış")


def test_a_recovery_code_stands_in_for_the_phone(site, page):
    site.user("emel")
    codes = site.second_factor("emel")
    page.goto("/")
    page.get_by_label("Kullanıcı adı").fill("emel")
    page.get_by_label("Parola").fill("korrekt pferd batterie")
    page.keyboard.press("Enter")
    page.get_by_label("Doğrulama kodu").fill(codes[0].upper())
    page.keyboard.press("Enter")

    heading(page, "Genel bakış")


def test_a_user_turns_on_two_steps_and_then_signs_in_with_them(site, page, enter):
    enter(page, site)
    page.get_by_role("link", name="Hesabım").click()
    page.get_by_role("button", name="İki adımlı doğrulamayı aç").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Parola").fill("korrekt pferd batterie")
    dialog.get_by_role("button", name="İleri").click()
    secret = dialog.locator("code").inner_text().replace(" ", "")
    assert secret in dialog.get_by_role("link", name="uygulamaya doğrudan ekle").get_attribute("href")
    dialog.get_by_label("6 haneli kod").fill(pyotp.TOTP(secret).at(site.clock.now))
    dialog.get_by_role("button", name="Doğrula ve aç").click()
    dialog.locator(".codes li").nth(9).wait_for()
    dialog.get_by_role("button", name="Sakladım").click()
    page.locator("#second-factor ~ p .mark.good").wait_for()
    page.get_by_role("button", name="Çıkış").click()
    site.secrets["ayse"] = secret
    site.clock.later(60)

    enter(page, site)

    heading(page, "Genel bakış")


SAMPLE = """(image) => {
    const side = image.naturalWidth / 4, canvas = document.createElement("canvas");
    canvas.width = canvas.height = image.naturalWidth;
    const at = canvas.getContext("2d");
    at.drawImage(image, 0, 0);
    const dark = (x, y) => at.getImageData(4 * x + 2, 4 * y + 2, 1, 1).data[0] < 128 ? 1 : 0;
    return [...Array(side).keys()].map((y) => [...Array(side).keys()].map((x) => dark(x, y)));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_qr_code_that_a_phone_sees_is_that_of_the_key(site, make_page, enter, scheme):
    page = make_page(site, color_scheme=scheme)
    enter(page, site)
    page.get_by_role("link", name="Hesabım").click()
    page.get_by_role("button", name="İki adımlı doğrulamayı aç").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Parola").fill("korrekt pferd batterie")
    dialog.get_by_role("button", name="İleri").click()
    picture = dialog.get_by_role("img", name="QR kodu")
    picture.wait_for()
    address = dialog.get_by_role("link", name="uygulamaya doğrudan ekle").get_attribute("href")

    shown = picture.evaluate(SAMPLE)

    assert shown == [list(row) for row in segno.make_qr(address).matrix_iter(border=4)]
    assert_accessible(page, f"factor-{scheme}")


def test_a_user_changes_his_password_and_signs_in_with_the_new_one(site, page, enter):
    enter(page, site)
    page.get_by_role("link", name="Hesabım").click()
    page.get_by_label("Şimdiki parola").fill("korrekt pferd batterie")
    page.get_by_label("Yeni parola", exact=False).nth(0).fill("yepyeni bir cümle")
    page.get_by_label("Yeni parola, bir daha").fill("yepyeni bir cümle")
    page.get_by_role("button", name="Parolayı değiştir").click()
    page.get_by_text("Parolanız değişti").wait_for()
    page.get_by_role("button", name="Çıkış").click()

    enter(page, site, password="yepyeni bir cümle")

    heading(page, "Genel bakış")


def test_the_session_goes_on_when_the_access_token_has_ended(site, page, enter):
    enter(page, site)
    page.get_by_role("link", name="Hesabım").click()
    heading(page, "Hesabım")
    site.clock.later(16 * 60)

    with page.expect_response("**/browser/refresh"):
        page.get_by_role("link", name="Genel bakış").click()

    heading(page, "Genel bakış")
    assert page.locator(".who").is_visible()


def test_the_page_opens_signed_in_after_a_reload_and_keeps_no_token_where_scripts_of_others_could_look(
    site, page, enter
):
    enter(page, site)
    page.reload()

    page.locator(".who").wait_for()
    kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "ey" not in kept
    assert "urt_" not in kept


def test_two_windows_of_one_browser_that_open_at_once_both_stay_signed_in(site, page, enter):
    enter(page, site)
    others = [page.context.new_page() for _ in range(4)]
    for other in others:
        other.goto("/app/", wait_until="commit")

    for other in (page, *others):
        other.locator(".who").wait_for()
    assert "session.refresh_reused" not in actions(site)


def test_a_page_reloaded_while_it_asks_for_its_token_stays_signed_in(site, page, enter):
    enter(page, site)
    for _ in range(4):
        with page.expect_request("**/browser/refresh"):
            page.evaluate("location.reload()")

    page.locator(".who").wait_for()
    assert "session.refresh_reused" not in actions(site)


def test_a_session_that_was_ended_elsewhere_leads_back_to_the_sign_in(site, page, enter):
    enter(page, site)
    page.get_by_role("link", name="Hesabım").click()
    heading(page, "Hesabım")
    site.identity.users.disable(site.caller, "ayse")
    site.clock.later(16 * 60)
    page.get_by_role("link", name="Genel bakış").click()

    heading(page, "Oturum aç")


def test_signing_out_ends_the_session_of_this_browser(site, page, enter):
    enter(page, site)
    page.get_by_role("button", name="Çıkış").click()
    heading(page, "Oturum aç")

    page.reload()

    heading(page, "Oturum aç")


def test_the_companys_own_login_is_offered_where_there_is_one(site, make_site, page, make_page):
    with_it = make_site(oidc=True)
    page.goto("/")
    heading(page, "Oturum aç")
    assert not page.get_by_role("link", name="Şirket hesabıyla").is_visible()

    other = make_page(with_it)
    other.goto("/")

    assert other.get_by_role("link", name="Şirket hesabıyla").get_attribute("href") == "/v1/auth/oidc/start"


@pytest.mark.parametrize(
    ("kind", "told"),
    [("sign-in-refused", "Şirket hesabınızla girilemedi"), ("login-unavailable", "giriş sunucusu yanıt vermiyor")],
)
def test_who_comes_back_from_the_companys_login_in_vain_is_told_why_once(page, kind, told):
    page.goto(f"/app/?sign-in={kind}")

    assert told in alert(page)
    assert "?" not in page.url
    page.reload()
    page.get_by_label("Parola").wait_for()
    assert not page.get_by_role("alert").count()

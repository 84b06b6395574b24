//! Invitations, as administrators see them.

use latchkey::config::{RegistrationMode, Transport};
use uuid::Uuid;

use crate::support::app::{Person, TestApp};
use crate::support::browser::Answer;
use crate::support::subjects;

#[actix_web::test]
async fn an_invitation_is_sent_listed_and_withdrawn() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.get("/admin/invitations").await.is(200).has_notice("empty");
    admin
        .post("/admin/invitations", &[("email", "alan@example.org")])
        .await
        .redirects_to("/admin/invitations");
    let list = admin.get("/admin/invitations").await;
    list.has_flash("invited").says("alan@example.org").says("Grace Hopper").has_state("waiting");
    let letter = app.letter("alan@example.org", subjects::INVITATION).await;
    assert!(letter.text.contains("7 days"), "{}", letter.text);
    list.does_not_say(&letter.token());
    let id: String = app.db.scalar("SELECT id::text FROM invitations");
    let withdraw = format!("/admin/invitations/{id}/withdraw");
    admin.post(&withdraw, &[]).await.redirects_to("/admin/invitations");
    let list = admin.get("/admin/invitations").await;
    list.has_state("withdrawn");
    assert_eq!(list.count(&format!(r#"form[action="{withdraw}"]"#)), 0);
    admin.post(&withdraw, &[]).await.is(404);
    for odd in [Uuid::new_v4().to_string(), "x".into()] {
        admin.post(&format!("/admin/invitations/{odd}/withdraw"), &[]).await.is(404);
    }
    assert_eq!((app.events("invited"), app.events("invitation-withdrawn")), (1, 1));
}

#[actix_web::test]
async fn wrong_and_registered_addresses_are_refused() {
    let app = TestApp::spawn();
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut admin = app.logged_in(&grace).await;
    for (email, why) in [
        ("", "invalid-email"),
        ("alan", "invalid-email"),
        ("a@b.org\r\nBcc: eve@example.org", "invalid-email"),
        (ada.email, "registered"),
        ("ADA@EXAMPLE.org", "registered"),
    ] {
        let refused = admin.fill_in("/admin/invitations", &[("email", email)]).await;
        refused.is(422).is_refused(why);
        assert_eq!(refused.count("#email-error"), 1, "{email}");
    }
    assert_eq!(app.letters().await.len(), 0);
}

#[actix_web::test]
async fn inviting_again_replaces_only_the_invitation_to_that_address() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    for email in ["al_n@example.org", "alxn@example.org", "AL_N@example.org"] {
        admin.fill_in("/admin/invitations", &[("email", email)]).await.is(303);
    }
    let open = |email: &str| -> i64 {
        app.db.scalar(&format!(
            "SELECT count(*) FROM invitations WHERE lower(email) = '{email}' AND withdrawn_at IS NULL"
        ))
    };
    assert_eq!((open("al_n@example.org"), open("alxn@example.org")), (1, 1));
}

#[actix_web::test]
async fn without_mail_no_invitation_can_be_sent() {
    let app = TestApp::spawn_with(|settings| settings.mail.transport = Transport::None);
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(422).is_refused("no-mail");
    let page = format!("/admin/users/{}", ada.id);
    admin.get(&page).await.is(200).does_not_say("send-reset");
    admin.post(&format!("{page}/send-reset"), &[]).await.is(422).has_flash("no-mail");
}

/// Registers alan@example.org with the invitation of this token.
async fn register(app: &TestApp, invite: &str) -> Answer {
    let fields = [
        ("name", "Alan"),
        ("email", "alan@example.org"),
        ("password", "gravel tuba otter lemon"),
        ("invite", invite),
    ];
    app.browser().fill_in("/register", &fields).await
}

#[actix_web::test]
async fn an_invitation_opens_nothing_once_its_inviter_is_no_active_administrator() {
    let app = TestApp::spawn_with(|settings| settings.registration = RegistrationMode::Invite);
    let (ada, grace) = (app.ada().await, app.grace().await);
    app.db.execute("UPDATE users SET role = 'admin'");
    let mut admin = app.logged_in(&grace).await;
    admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
    let letter = app.letter("alan@example.org", subjects::INVITATION).await;
    let mut watching = app.logged_in(&ada).await;
    // As if an invitation was inserted by hand, or by an older version that withdrew none.
    let inviter = |set: &str| app.db.execute(&format!("UPDATE users SET {set} WHERE id = '{}'", grace.id));
    for (ends, back) in [
        ("role = 'member'", "role = 'admin'"),
        ("disabled_at = now()", "disabled_at = NULL"),
        ("delete_after = now() + interval '1 day'", "delete_after = NULL"),
    ] {
        inviter(ends);
        app.browser().open(&letter.link()).await.is_refused("not-invited");
        register(&app, &letter.token()).await.is(422).is_refused("not-invited");
        let list = watching.get("/admin/invitations").await;
        list.has_state("ended").says("Grace Hopper").has_notice("inviter-demoted").has_no_state("waiting");
        assert_eq!(list.count("form[action$='/withdraw']"), 0, "{ends}");
        inviter(back);
        let list = watching.get("/admin/invitations").await;
        list.has_state("waiting").has_no_notice("inviter-demoted");
    }
    // Registered while the invitation was valid, confirmed afterwards.
    register(&app, &letter.token()).await.redirects_to("/register/check-email");
    inviter("role = 'member'");
    let confirm = app.letter("alan@example.org", subjects::VERIFY_EMAIL).await;
    let token = confirm.token();
    let fields = [("token", token.as_str()), ("password", "gravel tuba otter lemon")];
    app.browser().fill_in(&confirm.link(), &fields).await.is(422);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM users"), 2);
    assert_eq!(app.db.scalar::<i64>("SELECT count(*) FROM invitations WHERE accepted_at IS NOT NULL"), 0);
}

#[actix_web::test]
async fn an_ended_invitation_is_replaced_by_a_new_one_and_does_not_come_back_with_the_role() {
    let app = TestApp::spawn_with(|settings| settings.registration = RegistrationMode::Invite);
    let (ada, grace): (Person, Person) = (app.ada().await, app.grace().await);
    app.db.execute("UPDATE users SET role = 'admin'");
    let invite = async |person: &Person| {
        let mut admin = app.logged_in(person).await;
        admin.fill_in("/admin/invitations", &[("email", "alan@example.org")]).await.is(303);
        let token = app.letter("alan@example.org", subjects::INVITATION).await.token();
        app.db.execute("UPDATE outbox SET created_at = created_at - interval '1 minute'");
        token
    };
    let first = invite(&grace).await;
    app.db.execute(&format!("UPDATE users SET role = 'member' WHERE id = '{}'", grace.id));
    let second = invite(&ada).await;
    app.db.execute("UPDATE users SET role = 'admin'");
    register(&app, &first).await.is(422);
    register(&app, &second).await.redirects_to("/register/check-email");
}

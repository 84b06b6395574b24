//! Invitations, as administrators see them.

use latchkey::config::Transport;
use uuid::Uuid;

use crate::support::app::TestApp;

#[actix_web::test]
async fn an_invitation_is_sent_listed_and_withdrawn() {
    let app = TestApp::spawn();
    let grace = app.grace().await;
    let mut admin = app.logged_in(&grace).await;
    admin.get("/admin/invitations").await.is(200).says("No one has been invited yet.");
    admin
        .post("/admin/invitations", &[("email", "alan@example.org")])
        .await
        .redirects_to("/admin/invitations");
    let list = admin.get("/admin/invitations").await;
    list.says("The invitation is on its way.")
        .says("alan@example.org")
        .says("by Grace Hopper")
        .says("waiting");
    let letter = app.letter("alan@example.org", "Grace Hopper invites you to Latchkey").await;
    assert!(letter.text.contains("7 days"), "{}", letter.text);
    list.does_not_say(&letter.token());
    let id: String = app.db.scalar("SELECT id::text FROM invitations");
    let withdraw = format!("/admin/invitations/{id}/withdraw");
    admin.post(&withdraw, &[]).await.redirects_to("/admin/invitations");
    let list = admin.get("/admin/invitations").await;
    list.says("withdrawn");
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
        ("", "Enter an e-mail address"),
        ("alan", "Enter an e-mail address"),
        ("a@b.org\r\nBcc: eve@example.org", "Enter an e-mail address"),
        (ada.email, "Somebody with this address has an account."),
        ("ADA@EXAMPLE.org", "Somebody with this address has an account."),
    ] {
        let refused = admin.fill_in("/admin/invitations", &[("email", email)]).await;
        refused.is(422).says(why);
        assert_eq!(refused.count("#email-error"), 1, "{email}");
    }
    assert_eq!(app.letters().await.len(), 0);
}

#[actix_web::test]
async fn inviting_again_replaces_the_first_and_touches_nobody_elses() {
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
async fn without_mail_nobody_can_be_invited() {
    let app = TestApp::spawn_with(|settings| settings.mail.transport = Transport::None);
    let (ada, grace) = (app.ada().await, app.grace().await);
    let mut admin = app.logged_in(&grace).await;
    admin
        .fill_in("/admin/invitations", &[("email", "alan@example.org")])
        .await
        .is(422)
        .says("Mail is switched off");
    let page = format!("/admin/users/{}", ada.id);
    admin.get(&page).await.is(200).does_not_say("send-reset");
    admin.post(&format!("{page}/send-reset"), &[]).await.is(422).says("Mail is switched off");
}

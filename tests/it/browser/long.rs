//! With the longest possible names and addresses no page gets wider, and no other word is broken.

use serde_json::json;

use super::tour::House;
use crate::support::chrome::{Chrome, DESKTOP, PHONE, Screen};

/// A width between those at which tables turn into cards and at which they fit.
const TABLET: Screen = Screen { width: 700, height: 900, mobile: false };

/// An address of 254 bytes and a name of 80 letters without a space; with a passkey, an invitation and events that name
/// them.
const LONGEST: &str = "
    UPDATE users SET email = repeat('a', 63) || '@' || repeat(repeat('b', 60) || '.', 3) || 'example', name = repeat('W', 80)
    WHERE email = 'ada@example.org';
    UPDATE users SET email_key = email WHERE name = repeat('W', 80);
    INSERT INTO invitations (token_hash, email, invited_by, expires_at)
    SELECT sha256('long'), (SELECT email FROM users WHERE name = repeat('W', 80)), id, now() + interval '1 day' FROM users WHERE role = 'admin';
    INSERT INTO audit_events (act, actor, subject, address, user_agent, detail)
    SELECT act, id, id, '2001:db8:85a3:8d3:1319:8a2e:370:7348', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0', name
    FROM users, unnest(ARRAY['passkey-added', 'log-in-refused', 'passkey-removed']) act WHERE name = repeat('W', 80);
    UPDATE sessions SET factor = 'password+recovery-code' WHERE principal = (SELECT id FROM users WHERE name = repeat('W', 80));";

#[actix_web::test]
async fn the_longest_address_breaks_no_table_of_an_administrator() {
    let house = House::furnish().await;
    house.app.db.execute(LONGEST);
    let chrome = Chrome::open(&house.app.origin).await;
    chrome.log_in(house.grace.email, house.grace.password).await;
    chrome.is_at("home").await;
    let user = format!("/admin/users/{}", house.ada.id);
    let newest =
        ["/admin/users?q=WWWW", "/admin/users", "/admin/audit", "/admin/sessions", "/admin/invitations"];
    for page in newest.into_iter().chain([user.as_str(), "/admin"]) {
        for screen in [DESKTOP, TABLET, PHONE] {
            whole(&chrome, screen, page).await;
        }
    }
}

#[actix_web::test]
async fn the_longest_name_breaks_no_page_of_its_owner() {
    let house = House::furnish().await;
    let chrome = Chrome::open(&house.app.origin).await;
    chrome.log_in(house.ada.email, house.ada.password).await;
    chrome.is_at("home").await;
    house.add_passkeys(super::tour::Who::Ada);
    house.app.db.execute(LONGEST);
    house.app.db.execute("UPDATE passkeys SET name = repeat('W', 80)");
    for page in
        ["/home", "/account", "/account/sessions", "/account/activity", "/account/security", "/account/email"]
    {
        for screen in [DESKTOP, TABLET, PHONE] {
            whole(&chrome, screen, page).await;
        }
    }
}

/// Whether every word is on one line. The long words of this test and URLs are left out.
const BROKEN: &str = r"
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const broken = [];
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (node.parentElement.closest('.unseen, title')) continue;
        for (const token of node.data.matchAll(/\S+/g)) {
            if (token[0].length > 30 || token[0].includes('://')) continue;
            for (const word of token[0].matchAll(/[\p{L}\p{N}]{2,}/gu)) {
                const range = document.createRange();
                range.setStart(node, token.index + word.index);
                range.setEnd(node, token.index + word.index + word[0].length);
                const lines = new Set([...range.getClientRects()].map(rect => Math.round(rect.top)));
                if (lines.size > 1) broken.push(word[0]);
            }
        }
    }
    const root = document.documentElement;
    const wide = [...document.querySelectorAll('.badge')]
        .filter(badge => badge.getBoundingClientRect().width > badge.innerText.length * 12 + 40);
    return [root.scrollWidth <= root.clientWidth, broken, wide.map(badge => badge.outerHTML)];";

async fn whole(chrome: &Chrome, screen: Screen, page: &str) {
    chrome.go(page).await;
    chrome.resize(screen).await;
    let found = chrome.run(BROKEN, vec![]).await;
    assert_eq!(found, json!([true, [], []]), "{page} at {} px", screen.width);
}

/// Shows that the checks can fail.
#[actix_web::test]
async fn a_broken_word_and_a_wide_badge_are_seen() {
    let house = House::furnish().await;
    let chrome = Chrome::open(&house.app.origin).await;
    chrome.go("/login").await;
    // Through the object model, because the content security policy forbids style attributes.
    let spoil = "const main = document.querySelector('main');
        main.innerHTML = '<p>member</p><span class=\"badge\">x</span>';
        Object.assign(main.firstChild.style, {width: '2ch', overflowWrap: 'anywhere'});
        main.lastChild.style.display = 'block';";
    chrome.run(spoil, vec![]).await;
    let found = chrome.run(BROKEN, vec![]).await;
    assert_eq!((&found[0], &found[1]), (&json!(true), &json!(["member"])));
    assert_eq!(found[2].as_array().map(Vec::len), Some(1));
}

#[actix_web::test]
async fn the_lab_begins_where_its_card_begins() {
    let house = House::furnish().await;
    let chrome = Chrome::open(&house.app.origin).await;
    chrome.go("/compare").await;
    let gap = "const card = document.querySelector('main .card');
        return card.querySelector('p').getBoundingClientRect().top - card.getBoundingClientRect().top";
    let gap = chrome.run(gap, vec![]).await.as_f64().expect("a number");
    assert!((0.0..30.0).contains(&gap), "{gap} px of nothing");
    // The links of the verdict still lead there.
    let lead = "return [...document.querySelectorAll('#verdict a[href^=\"#\"]')].filter(a => !document.querySelector(a.getAttribute('href'))).length";
    assert_eq!(chrome.run(lead, vec![]).await, json!(0));
}

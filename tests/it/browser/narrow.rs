//! No page scrolls sideways on a desktop, on a phone, or at 400 % zoom (WCAG 2.2, 1.4.10).

use serde_json::json;

use super::second_factor;
use super::tour::{House, Who};
use crate::support::app::TestApp;
use crate::support::chrome::{Chrome, DESKTOP, PHONE, Screen, ZOOMED};

#[actix_web::test]
async fn what_a_visitor_sees_fits() {
    walk(Who::Visitor).await;
}

#[actix_web::test]
async fn what_a_member_sees_fits() {
    walk(Who::Ada).await;
}

#[actix_web::test]
async fn what_an_administrator_sees_fits() {
    walk(Who::Grace).await;
}

#[actix_web::test]
async fn second_factors_fit() {
    let app = TestApp::spawn();
    let chrome = Chrome::open(&app.origin).await;
    let look = async |page: &str| {
        for screen in [PHONE, ZOOMED, DESKTOP] {
            fits(&chrome, screen, page).await;
        }
    };
    second_factor::walk(&app, &chrome, look).await;
}

async fn walk(who: Who) {
    let house = House::furnish().await;
    let chrome = Chrome::open(&house.app.origin).await;
    house
        .walk(who, &chrome, async |page| {
            for screen in [DESKTOP, PHONE, ZOOMED] {
                fits(&chrome, screen, page).await;
            }
        })
        .await;
}

async fn fits(chrome: &Chrome, screen: Screen, page: &str) {
    chrome.resize(screen).await;
    let script = "
        const root = document.documentElement;
        const out = [...document.body.querySelectorAll('*')]
            .filter(part => part.getBoundingClientRect().right > root.clientWidth + 0.5 && !part.closest('.unseen'))
            .map(part => part.outerHTML.slice(0, 120));
        return [innerWidth, root.scrollWidth <= root.clientWidth ? 'fits' : out];";
    let width = screen.width;
    assert_eq!(chrome.run(script, vec![]).await, json!([width, "fits"]), "{page} at {width} px");
}

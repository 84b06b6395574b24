//! Users who register during the failovers, one after another.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use reqwest::Method;

use crate::history::actors::{PASSWORD, World};

/// Registers users until the end. `answered` holds the addresses whose registration was answered.
pub async fn register_forever(world: Rc<World>, name: &'static str, answered: Rc<RefCell<Vec<String>>>) {
    let mut count = 0;
    while !world.over.get() {
        sleep(Duration::from_millis(40)).await;
        let url = format!("{}/register", world.origins[count % world.origins.len()]);
        let form = world.wire.get(&url, "").await;
        let (Some(token), Some(nonce)) = (form.token(), form.cookie("latchkey-form")) else {
            world.look_at("GET /register", &form, &[200]);
            continue;
        };
        let email = format!("{name}-newcomer{count}@example.org");
        count += 1;
        let fields =
            [("csrf_token", token.as_str()), ("name", "Mary"), ("email", &email), ("password", PASSWORD)];
        let reply = world.wire.send(Method::POST, &url, &nonce, "newcomer", &fields).await;
        world.look_at("POST /register", &reply, &[303]);
        if reply.leads_to("/register/check-email") {
            answered.borrow_mut().push(email);
        }
    }
}

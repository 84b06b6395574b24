//! The connection of a client, for the code that answers its request.

use std::rc::Rc;
use std::time::Duration;

use actix_http::Request;
use actix_web::HttpRequest;
use latchkey_sessions::WriteGate;

use super::protocol_switch::NextProtocol;
use super::traffic::{Answering, Phase, RemainingBody, Traffic};

/// The connection of a client whose request goes to an app.
#[derive(Clone)]
pub struct ClientConnection(Rc<Traffic>);

impl ClientConnection {
    /// Allows large bodies and watches for the client to disconnect, until the response is complete. `None` for a
    /// request that did not come through a [`super::stream::BoundedStream`].
    ///
    /// * `unread_for`: how long the client may read nothing of the response.
    pub fn serve_app(request: &Request, unread_for: Duration) -> Option<Self> {
        Some(Self::watched(request.conn_data::<Rc<Traffic>>()?, unread_for))
    }

    /// The same for a response of the portal that stays open.
    pub fn serve_stream(request: &HttpRequest, unread_for: Duration) -> Option<Self> {
        Some(Self::watched(request.conn_data::<Rc<Traffic>>()?, unread_for))
    }

    fn watched(traffic: &Rc<Traffic>, unread_for: Duration) -> Self {
        traffic.answering.set(Answering::App);
        traffic.unread_for.set(unread_for);
        match traffic.phase.get() {
            // The service limits the body, and ends the client's connection if it is longer.
            Phase::Body { body: RemainingBody::Unsized(_), waiting } => {
                traffic.phase.set(Phase::Body { body: RemainingBody::Unsized(u64::MAX), waiting });
            }
            // Watches the connection from now on.
            _ => traffic.watch(),
        }
        Self(Rc::clone(traffic))
    }

    /// From now on nothing is sent to the client without a permit of `gate`.
    pub fn guard(&self, gate: Rc<dyn WriteGate>) {
        self.0.gate.replace(Some(gate));
    }

    /// The response is large: lets the kernel buffer more of it.
    pub fn expect_large_response(&self) {
        self.0.large_response.set(true);
    }

    /// The end of the connection will look like an error to the client, and data that was not sent yet is discarded.
    pub fn reset_at_end(&self) {
        self.0.reset_at_end();
    }

    /// Whether the protocol can be switched: the request asks for websockets in the form that actix-http knows, and
    /// nothing follows its head.
    pub fn can_switch(&self) -> bool {
        let switch = &self.0.protocol_switch;
        switch.is_possible() && !switch.has_client_sent_more()
    }

    /// A response with status 101 is the last of HTTP on this connection; `next` takes it over.
    pub fn switch_to(&self, next: NextProtocol) {
        self.0.protocol_switch.set_next(next);
    }
}

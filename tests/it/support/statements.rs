//! The statements that instances of this process send to their databases.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};

/// What was sent to one database.
#[derive(Default)]
struct Sent {
    /// The statements of each committed transaction.
    committed: Vec<Vec<String>>,
    /// Every statement.
    statements: Vec<String>,
}

static SENT: LazyLock<Mutex<HashMap<String, Sent>>> = LazyLock::new(Mutex::default);

/// The listener of one connection.
#[derive(Default)]
struct Listener {
    database: String,
    statements: Vec<String>,
}

impl Instrumentation for Listener {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartEstablishConnection { url, .. } => self.database = url.to_owned(),
            InstrumentationEvent::StartQuery { query, .. } => {
                let text = query.to_string();
                // Without the bound values. A user's row and the decoy in its place get the same name.
                let text = text.split(" -- binds").next().unwrap_or_default();
                let text = text.replace("decoy_tokens", "user_tokens").replace("\"account\"", "\"user_id\"");
                let mut all = SENT.lock().unwrap();
                let sent = all.entry(self.database.clone()).or_default();
                match text.as_str() {
                    "BEGIN" => self.statements.clear(),
                    "COMMIT" => sent.committed.push(std::mem::take(&mut self.statements)),
                    _ => self.statements.push(text.clone()),
                }
                sent.statements.push(text);
            }
            _ => {}
        }
    }
}

/// Records the statements of all connections that are opened from now on.
pub fn record() {
    set_default_instrumentation(|| Some(Box::new(Listener::default()))).unwrap();
}

/// The transactions that were committed in the database at `url` since the last call.
pub fn committed(url: &str) -> Vec<Vec<String>> {
    taken(url, |sent| std::mem::take(&mut sent.committed))
}

/// The statements that were sent to it since the last call.
pub fn sent(url: &str) -> Vec<String> {
    taken(url, |sent| std::mem::take(&mut sent.statements))
}

fn taken<T>(url: &str, take: impl Fn(&mut Sent) -> Vec<T>) -> Vec<T> {
    let mut all = SENT.lock().unwrap();
    all.iter_mut().filter(|(known, _)| known.starts_with(url)).flat_map(|(_, sent)| take(sent)).collect()
}

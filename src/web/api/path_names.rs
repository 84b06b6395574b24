//! The path parameters of the API, described.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::operation::DescribedOperation;
use crate::web::http::path::{ByHandle, ById, ByMember, ByName, BySlug};

/// Path parameters.
pub trait PathNames: DeserializeOwned + 'static {
    fn describe(operation: &mut DescribedOperation);
}

fn uuid() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

fn group_name() -> Value {
    json!({ "type": "string", "maxLength": 64, "pattern": "^[._-]*[a-z0-9][a-z0-9._-]*$" })
}

impl PathNames for ById {
    fn describe(operation: &mut DescribedOperation) {
        operation.parameter("path", "id", "The id of the item.", uuid());
    }
}

impl PathNames for ByHandle {
    fn describe(operation: &mut DescribedOperation) {
        operation.parameter("path", "handle", "The public id of the session.", uuid());
    }
}

impl PathNames for BySlug {
    fn describe(operation: &mut DescribedOperation) {
        let slug = json!({ "type": "string", "pattern": "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$" });
        operation.parameter("path", "slug", "The short name of the app.", slug);
    }
}

impl PathNames for ByName {
    fn describe(operation: &mut DescribedOperation) {
        operation.parameter("path", "name", "The name of the group.", group_name());
    }
}

impl PathNames for ByMember {
    fn describe(operation: &mut DescribedOperation) {
        operation.parameter("path", "name", "The name of the group.", group_name());
        operation.parameter("path", "user", "The id of the user.", uuid());
    }
}

//! What an operation of the API takes and answers, as data for the OpenAPI document. It is derived from the types of the
//! handler: each argument and each answer describes itself, so a handler that is not described does not compile.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::tokens::ApiScope;

/// A row of the API, for the document.
#[derive(Clone, Copy)]
pub struct ApiOperation {
    /// What it does, in the imperative. It also names the operation.
    pub title: &'static str,
    /// `None`: no token is needed.
    pub scope: Option<ApiScope>,
    pub(in crate::web) describe: fn(&mut DescribedOperation),
}

/// Parameters, body and answers of an operation.
#[derive(Default)]
pub struct DescribedOperation {
    pub(super) parameters: Vec<Value>,
    pub(super) body: Option<Value>,
    /// By status.
    pub(super) answers: BTreeMap<u16, Value>,
    /// The schemas that it refers to, by name.
    pub(super) schemas: BTreeMap<String, Value>,
}

/// The document of problems.
pub(super) const PROBLEM: &str = "application/problem+json";

/// Describes the header `Retry-After`.
pub(super) const RETRY_AFTER: &str = "The time to wait, in seconds.";

impl DescribedOperation {
    /// A reference to the schema of `T`, which becomes part of the document.
    pub(super) fn refer<T: ToSchema>(&mut self) -> Value {
        let mut schemas = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut schemas);
        for (name, schema) in schemas {
            self.schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    pub(super) fn answer(&mut self, status: u16, description: &str, schema: Value) {
        let content = json!({ "application/json": { "schema": schema } });
        self.answers.insert(status, json!({ "description": description, "content": content }));
    }

    /// Adds a header to an answer that is described already.
    pub(super) fn answer_header(&mut self, status: u16, name: &str, description: &str) {
        if let Some(answer) = self.answers.get_mut(&status) {
            answer["headers"][name] = json!({ "description": description, "schema": { "type": "string" } });
        }
    }

    /// A refusal, as a problem document.
    pub(super) fn refuses(&mut self, status: u16, when: &str) {
        let content = json!({ PROBLEM: { "schema": { "$ref": "#/components/schemas/ProblemOut" } } });
        self.answers.insert(status, json!({ "description": when, "content": content }));
    }

    pub(super) fn parameter(&mut self, place: &str, name: &str, description: &str, schema: Value) {
        self.parameters.push(json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "description": description,
            "schema": schema,
        }));
    }
}

/// An argument of a handler.
pub trait DescribedArg {
    /// Whether it is the body.
    const IS_BODY: bool = false;
    /// Whether it is the query.
    const IS_QUERY: bool = false;

    fn describe(operation: &mut DescribedOperation);
}

/// The arguments of a handler.
pub trait DescribedArgs {
    const HAS_BODY: bool;
    const HAS_QUERY: bool;

    fn describe(operation: &mut DescribedOperation);
}

/// What a handler answers.
pub trait DescribedAnswer {
    fn describe(operation: &mut DescribedOperation);
}

macro_rules! described_args {
    ($($arg:ident),+) => {
        impl<$($arg: DescribedArg),+> DescribedArgs for ($($arg,)+) {
            const HAS_BODY: bool = false $(|| $arg::IS_BODY)+;
            const HAS_QUERY: bool = false $(|| $arg::IS_QUERY)+;

            fn describe(operation: &mut DescribedOperation) {
                $($arg::describe(operation);)+
            }
        }
    };
}

described_args!(A);
described_args!(A, B);
described_args!(A, B, C);
described_args!(A, B, C, D);
described_args!(A, B, C, D, E);

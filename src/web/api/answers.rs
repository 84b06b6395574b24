//! What handlers answer: an item with its ETag, a page of a list, a value, or nothing.

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::operation::{DescribedAnswer, DescribedOperation};
use super::precondition::{ReadCondition, etag};
use super::resource::Resource;
use super::scoped::{ScopeType as _, Scoped};
use crate::web::http::error::Error;

/// Describes the header `ETag`.
const ETAG: &str = "The state of the item, for `If-Match` and `If-None-Match`.";

/// Describes 409.
pub const CONFLICT: &str = "The current state does not allow the change; `code` gives the reason.";

/// An item, as it is after the request.
pub struct ItemAnswer<R: Resource> {
    status: StatusCode,
    /// `None`: only the status and the headers are sent.
    out: Option<R::Out>,
    etag: String,
    /// The path of an item that the request added.
    location: Option<String>,
}

impl<R: Resource> ItemAnswer<R> {
    pub fn of(model: &R::Model) -> Self {
        Self {
            status: StatusCode::OK,
            out: Some(model.into()),
            etag: etag(&R::version(model)),
            location: None,
        }
    }

    /// 201 instead of 200.
    pub fn added_at(self, path: String) -> Self {
        Self { status: StatusCode::CREATED, location: Some(path), ..self }
    }

    /// 304 if the client knows this state.
    ///
    /// # Errors
    /// 412.
    pub fn unless_known(self, when: &ReadCondition) -> Result<Self, Error> {
        Ok(match when.is_needed(&self.etag)? {
            true => self,
            false => Self { status: StatusCode::NOT_MODIFIED, out: None, ..self },
        })
    }

    /// 204 if the token may change the item but not read it.
    pub fn readable_with<W>(self, me: &Scoped<W>) -> Self {
        match me.token.allows(R::Read::SCOPE) {
            true => self,
            false => Self { status: StatusCode::NO_CONTENT, out: None, ..self },
        }
    }
}

impl<R: Resource> Responder for ItemAnswer<R> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::build(self.status);
        response.insert_header((header::ETAG, self.etag));
        if let Some(path) = self.location {
            response.insert_header((header::LOCATION, path));
        }
        match self.out {
            Some(out) => response.json(out),
            None => response.finish(),
        }
    }
}

impl<R: Resource> DescribedAnswer for ItemAnswer<R> {
    fn describe(operation: &mut DescribedOperation) {
        let schema = operation.refer::<R::Out>();
        operation.answer(200, "The item.", schema);
        operation.answer_header(200, "ETag", ETAG);
    }
}

/// An item that may have been added by the request.
pub struct StoredItem<R: Resource>(pub ItemAnswer<R>);

impl<R: Resource> Responder for StoredItem<R> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        self.0.respond_to(request)
    }
}

impl<R: Resource> DescribedAnswer for StoredItem<R> {
    fn describe(operation: &mut DescribedOperation) {
        ChangedItem::<R>::describe(operation);
        operation.answer_header(204, "Location", "The path of the item, if it was added.");
        describe_added::<R>(operation);
    }
}

/// An item that the request changed.
pub struct ChangedItem<R: Resource>(pub ItemAnswer<R>);

impl<R: Resource> Responder for ChangedItem<R> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        self.0.respond_to(request)
    }
}

impl<R: Resource> DescribedAnswer for ChangedItem<R> {
    fn describe(operation: &mut DescribedOperation) {
        ItemAnswer::<R>::describe(operation);
        let scope = R::Read::SCOPE.as_str();
        let what = format!("Done. There is no body, because the token lacks the scope `{scope}`.");
        operation.answers.insert(204, json!({ "description": what }));
        operation.answer_header(204, "ETag", ETAG);
        operation.refuses(409, CONFLICT);
    }
}

/// An item that the request added.
pub struct AddedItem<R: Resource>(pub ItemAnswer<R>);

impl<R: Resource> Responder for AddedItem<R> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        self.0.respond_to(request)
    }
}

impl<R: Resource> DescribedAnswer for AddedItem<R> {
    fn describe(operation: &mut DescribedOperation) {
        operation.refuses(409, CONFLICT);
        describe_added::<R>(operation);
    }
}

fn describe_added<R: Resource>(operation: &mut DescribedOperation) {
    let schema = operation.refer::<R::Out>();
    operation.answer(201, "The item was added.", schema);
    operation.answer_header(201, "ETag", ETAG);
    operation.answer_header(201, "Location", "The path of the item.");
}

/// A page of a list.
#[derive(Serialize)]
pub struct ListPage<T> {
    pub items: Vec<T>,
    /// Where the next page begins: the value for `cursor`, or for `after` in the audit trail; null on the last page.
    pub next: Option<String>,
}

impl<T: Serialize> Responder for ListPage<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self)
    }
}

impl<T: ToSchema> DescribedAnswer for ListPage<T> {
    fn describe(operation: &mut DescribedOperation) {
        let item = operation.refer::<T>();
        let name = format!("{}Page", T::name());
        operation.schemas.insert(name.clone(), page_schema(item));
        operation.answer(
            200,
            "A page of the list.",
            json!({ "$ref": format!("#/components/schemas/{name}") }),
        );
    }
}

fn page_schema(item: Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": { "type": "array", "items": item },
            "next": {
                "type": ["string", "null"],
                "description": "Where the next page begins: the value for `cursor`, or for `after` in the audit trail; null on the last page.",
            },
        },
    })
}

/// A value without an ETag.
pub struct Plain<T>(pub T);

impl<T: Serialize> Responder for Plain<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}

impl<T: ToSchema> DescribedAnswer for Plain<T> {
    fn describe(operation: &mut DescribedOperation) {
        let schema = operation.refer::<T>();
        operation.answer(200, "The answer.", schema);
    }
}

/// 204.
pub struct NoContent;

impl Responder for NoContent {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::NoContent().finish()
    }
}

impl DescribedAnswer for NoContent {
    fn describe(operation: &mut DescribedOperation) {
        operation.answers.insert(204, json!({ "description": "Done; there is no body." }));
    }
}

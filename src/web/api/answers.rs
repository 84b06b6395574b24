//! What handlers answer: an item with its ETag, a page of a list, a value, or nothing.

use actix_web::body::BoxBody;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Responder};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::operation::{DescribedAnswer, DescribedOperation};
use super::precondition::etag;
use super::resource::Resource;

/// An item, as it is after the request.
pub struct ItemAnswer<R: Resource> {
    out: R::Out,
    etag: String,
    /// The path of an item that the request added.
    added_at: Option<String>,
}

impl<R: Resource> ItemAnswer<R> {
    pub fn of(model: &R::Model) -> Self {
        Self { out: model.into(), etag: etag(&R::version(model)), added_at: None }
    }

    /// 201 instead of 200.
    pub fn added_at(self, path: String) -> Self {
        Self { added_at: Some(path), ..self }
    }
}

impl<R: Resource> Responder for ItemAnswer<R> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.insert_header((header::ETAG, self.etag));
        if let Some(path) = self.added_at {
            response.status(StatusCode::CREATED).insert_header((header::LOCATION, path));
        }
        response.json(self.out)
    }
}

impl<R: Resource> DescribedAnswer for ItemAnswer<R> {
    fn describe(operation: &mut DescribedOperation) {
        let schema = operation.refer::<R::Out>();
        operation.answer(200, "The item.", schema);
        operation.answer_header(200, "ETag", "The state of the item, for `If-Match`.");
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
        ItemAnswer::<R>::describe(operation);
        operation.refuses(409, "The current state does not allow the change; `code` gives the reason.");
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
        operation.refuses(409, "The current state does not allow the change; `code` gives the reason.");
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
        operation.refuses(409, "The current state does not allow the change; `code` gives the reason.");
        describe_added::<R>(operation);
    }
}

fn describe_added<R: Resource>(operation: &mut DescribedOperation) {
    let schema = operation.refer::<R::Out>();
    operation.answer(201, "The item was added.", schema);
    operation.answer_header(201, "ETag", "The state of the item, for `If-Match`.");
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
        operation.refuses(409, "The current state does not allow the change; `code` gives the reason.");
    }
}

//! What the route table requires of a handler's arguments: the guard first, and for a POST a checked
//! [`Form`](crate::web::http::form::Form) or `Json` last. A handler without them does not compile.

use crate::web::http::body::Media;
use crate::web::http::draft::Draft;
use crate::web::http::error::Error;
use crate::web::http::fields;
use crate::web::http::form::{Form, FormInput, PostedForm};
use crate::web::http::json::Json;

/// Arguments whose first is the guard `G`.
pub trait StartsWithGuard<G> {}

/// Arguments whose last is a `Form` or `Json`, with its token checked.
pub trait EndsInForm {
    const MEDIA: Media;

    /// The fields whose values are shown again.
    fn texts() -> Vec<&'static str> {
        Vec::new()
    }

    /// The typed values.
    fn typed(_: &PostedForm) -> Result<Vec<(String, String)>, Error> {
        Ok(Vec::new())
    }
}

/// Arguments whose last is a `Form` that can be shown again.
pub trait EndsInDraft {}

impl<G> StartsWithGuard<G> for (G,) {}
impl<G, A> StartsWithGuard<G> for (G, A) {}
impl<G, A, B> StartsWithGuard<G> for (G, A, B) {}
impl<G, A, B, C> StartsWithGuard<G> for (G, A, B, C) {}
impl<G, A, B, C, D> StartsWithGuard<G> for (G, A, B, C, D) {}

macro_rules! ends_in_form {
    ($($before:ident),+) => {
        impl<$($before,)+ T: FormInput> EndsInForm for ($($before,)+ Form<T>) {
            const MEDIA: Media = Media::Form;

            fn texts() -> Vec<&'static str> {
                fields::texts::<T>()
            }

            fn typed(posted: &PostedForm) -> Result<Vec<(String, String)>, Error> {
                posted.texts::<T>()
            }
        }

        impl<$($before,)+> EndsInDraft for ($($before,)+ Draft) {}
    };
}

ends_in_form!(G);
ends_in_form!(G, A);
ends_in_form!(G, A, B);

impl<G, A, T> EndsInForm for (G, A, Json<T>) {
    const MEDIA: Media = Media::Json;
}

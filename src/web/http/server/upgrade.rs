//! A request that may switch the protocol of its connection. actix-http hands the connection over with it, so the
//! response is sent here. The request is answered like any other, and is the last one of its connection.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Poll, ready};
use std::time::Duration;

use actix_codec::Framed;
use actix_http::h1::{Codec, Message};
use actix_http::{ConnectionType, Request, Response};
use actix_web::Error;
use actix_web::body::{BodySize, MessageBody as _};
use actix_web::http::StatusCode;
use futures_util::future::poll_fn;

use super::raw_stream::RawStream;
use super::response::ResponseBody;
use super::stream::BoundedStream;

/// A request, and its connection.
pub type UpgradeRequest = (Request, ClientFrames);

type ClientFrames = Framed<BoundedStream, Codec>;

/// How long the client may take to read a response and to end the connection.
const END_WITHIN: Duration = Duration::from_secs(5);

/// Sends the response. If it switches the protocol, the connection's task continues with the next one.
pub async fn serve(
    mut frames: ClientFrames,
    answering: impl Future<Output = Result<Response<ResponseBody>, Error>>,
) -> Result<(), Error> {
    let traffic = frames.io_ref().traffic();
    let switch = &traffic.protocol_switch;
    switch.allow();
    if !frames.is_read_buf_empty() {
        switch.client_has_sent_more();
    }
    let mut answering = pin!(answering);
    let answered = poll_fn(|cx| {
        // Read first: the handler must know whether bytes follow the head.
        if frames.io_mut().has_app_client_left(cx) {
            return Poll::Ready(None);
        }
        answering.as_mut().poll(cx).map(Some)
    });
    let Some(answered) = answered.await else { return Ok(()) };
    let mut response = answered
        .unwrap_or_else(|error| Response::from(error).map_body(|_, body| ResponseBody::new(body, None)));
    let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let next = switch.take_next().filter(|_| switches);
    let last = if next.is_some() { ConnectionType::Upgrade } else { ConnectionType::Close };
    response.head_mut().set_connection_type(last);
    // After such a request, actix-http sends no chunks: the end of the connection is the end of the body.
    let ends_with_connection = response.body().size() == BodySize::Stream;
    response.head_mut().no_chunking(ends_with_connection);
    if send(&mut frames, response).await.is_err() {
        // The client must see that its response is incomplete.
        if ends_with_connection {
            traffic.reset_at_end();
        }
        return Ok(());
    }
    // The whole response is in the kernel.
    traffic.unguard();
    let mut stream = RawStream::new(frames.into_parts().io);
    match next {
        Some(next) => switch.run(next(stream)),
        None => {
            stream.finish(END_WITHIN).await;
        }
    }
    Ok(())
}

/// Returns when the kernel has the whole response.
async fn send(frames: &mut ClientFrames, response: Response<ResponseBody>) -> Result<(), Error> {
    let (head, mut body) = response.into_parts();
    let size = body.size();
    Pin::new(&mut *frames).write(Message::Item((head, size)))?;
    let mut is_complete = matches!(size, BodySize::None | BodySize::Sized(0));
    poll_fn(|cx| {
        if frames.io_mut().has_app_client_left(cx) {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionAborted).into()));
        }
        loop {
            let mut waits = false;
            while !is_complete && !waits && !frames.is_write_buf_full() {
                match Pin::new(&mut body).poll_next(cx) {
                    Poll::Ready(part) => {
                        let part = part.transpose()?;
                        is_complete = part.is_none();
                        Pin::new(&mut *frames).write(Message::Chunk(part))?;
                    }
                    Poll::Pending => waits = true,
                }
            }
            ready!(Pin::new(&mut *frames).flush(cx))?;
            if is_complete {
                return Poll::Ready(Ok(()));
            }
            if waits {
                return Poll::Pending;
            }
        }
    })
    .await
}

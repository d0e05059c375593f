//! A body that tells when it has been written out whole: only then has a letter been opened.
//!
//! A connection that breaks before drops the body, and nothing is told. That the last chunk was asked for is not
//! enough: up to 32 KB may still wait inside the connection for a reader who has stopped reading. So the end is put
//! off until the socket has been found writable twice, with the connection's own attempt to write in between:
//! whatever waited has then gone to the kernel.

use std::any::Any;
use std::future::Future;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::Extensions;
use actix_web::body::{BodySize, MessageBody};
use actix_web::rt::{self, net::TcpStream};
use actix_web::{HttpRequest, rt::time::Sleep};
use bytes::Bytes;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Handed over at once; the connection holds at most 32 KB before it waits for the socket.
const CHUNK: usize = 16 * 1024;
/// How soon a socket that cannot be written is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Sightings of a writable socket that the end waits for.
const SIGHTINGS: u8 = 2;

/// A second handle on the connection's socket, kept with the connection and closed with it.
struct Socket(OwnedFd);

/// For the server's `on_connect_ext`: remembers the socket, so that a body can ask whether it is writable.
///
/// A connection without it (no descriptor left) still works; its letters count as opened a chunk too early at worst.
pub fn remember_socket(connection: &dyn Any, data: &mut Extensions) {
    let Some(stream) = connection.downcast_ref::<TcpStream>() else {
        return;
    };
    match rustix::io::fcntl_dupfd_cloexec(stream.as_fd(), 3) {
        Ok(copy) => {
            data.insert(std::sync::Arc::new(Socket(copy)));
        }
        Err(error) => tracing::warn!(%error, "no second handle on a connection"),
    }
}

/// What happens once everything has been written.
type Then = Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = ()>>>>;

/// The bytes, and what happens after the last.
pub(crate) struct Witnessed {
    rest: Bytes,
    length: u64,
    socket: Option<std::sync::Arc<Socket>>,
    sightings: u8,
    nap: Option<Pin<Box<Sleep>>>,
    then: Option<Then>,
}

impl Witnessed {
    /// `then` runs to its end even if the reader goes away while it runs.
    pub(crate) fn new<F>(
        request: &HttpRequest,
        bytes: Bytes,
        then: impl FnOnce() -> F + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        Self {
            length: bytes.len() as u64,
            rest: bytes,
            socket: request.conn_data::<std::sync::Arc<Socket>>().cloned(),
            sightings: 0,
            nap: None,
            then: Some(Box::new(move || Box::pin(then()))),
        }
    }

    /// Whether everything handed over has left the connection.
    fn poll_drained(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(socket) = &self.socket else {
            return Poll::Ready(());
        };
        if let Some(nap) = &mut self.nap {
            if nap.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.nap = None;
        }
        if !writable(&socket.0) {
            self.sightings = 0;
            let mut nap = Box::pin(rt::time::sleep(LOOK_AGAIN));
            if nap.as_mut().poll(context).is_ready() {
                context.waker().wake_by_ref();
            }
            self.nap = Some(nap);
            return Poll::Pending;
        }
        self.sightings += 1;
        if self.sightings > SIGHTINGS {
            return Poll::Ready(());
        }
        // The connection writes after we have answered "not yet", and then asks again.
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

fn writable(socket: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(socket, PollFlags::OUT)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    matches!(poll(&mut asked, Some(&at_once)), Ok(1)) && asked[0].revents() == PollFlags::OUT
}

impl MessageBody for Witnessed {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        if !self.rest.is_empty() {
            let length = self.rest.len().min(CHUNK);
            return Poll::Ready(Some(Ok(self.rest.split_to(length))));
        }
        if self.poll_drained(context).is_pending() {
            return Poll::Pending;
        }
        if let Some(then) = self.then.take() {
            rt::spawn(then());
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::sync::Arc;

    use actix_web::test::TestRequest;
    use futures_util::future::poll_fn;

    use super::*;

    fn body(length: usize) -> (Pin<Box<Witnessed>>, Rc<Cell<bool>>) {
        let told = Rc::new(Cell::new(false));
        let tell = Rc::clone(&told);
        let request = TestRequest::get().to_http_request();
        let body = Witnessed::new(&request, Bytes::from(vec![7; length]), move || async move {
            tell.set(true)
        });
        (Box::pin(body), told)
    }

    #[actix_web::test]
    async fn it_tells_only_after_the_last_byte_has_been_taken() {
        let (mut body, told) = body(CHUNK + 1);
        for _ in 0..2 {
            assert!(
                poll_fn(|context| body.as_mut().poll_next(context))
                    .await
                    .is_some()
            );
            rt::task::yield_now().await;
            assert!(!told.get());
        }
        assert!(
            poll_fn(|context| body.as_mut().poll_next(context))
                .await
                .is_none()
        );
        rt::task::yield_now().await;
        assert!(told.get());
    }

    #[actix_web::test]
    async fn a_reader_who_leaves_early_has_opened_nothing() {
        let (mut body, told) = body(3 * CHUNK);
        assert!(
            poll_fn(|context| body.as_mut().poll_next(context))
                .await
                .is_some()
        );
        drop(body);
        rt::task::yield_now().await;
        assert!(!told.get());
    }

    #[actix_web::test]
    async fn a_socket_whose_reader_has_stopped_keeps_the_end_waiting_until_it_drains() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        ours.set_nonblocking(true).expect("a socket");
        theirs.set_nonblocking(true).expect("a socket");
        let fill = vec![0_u8; 64 * 1024];
        while std::io::Write::write(&mut &ours, &fill).is_ok() {}
        let (mut body, told) = body(10);
        body.socket = Some(Arc::new(Socket(OwnedFd::from(ours))));
        assert!(
            poll_fn(|context| body.as_mut().poll_next(context))
                .await
                .is_some()
        );
        let early = poll_fn(|context| Poll::Ready(body.as_mut().poll_next(context))).await;
        assert!(early.is_pending());
        assert!(!told.get());
        let mut taken = vec![0_u8; 64 * 1024];
        while std::io::Read::read(&mut &theirs, &mut taken).is_ok() {}
        assert!(
            poll_fn(|context| body.as_mut().poll_next(context))
                .await
                .is_none()
        );
        rt::task::yield_now().await;
        assert!(told.get());
    }
}

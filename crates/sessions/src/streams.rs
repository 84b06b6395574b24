//! Streams: responses, uploads and websockets that outlive the lookup of their session.
//!
//! Open a stream, then look the session up (again), then [`clear`](ActiveStream::clear) the stream: the lookup sees a
//! change that was announced before the stream was opened, and a later change marks the stream. Each piece of data is
//! written under a [`WritePermit`], which a marked stream does not give. Marking waits for the writes that have begun,
//! so when a revocation is answered, nothing is being written for the session, and nothing will be.

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use latchkey_db::time::Moment;

use super::Principal;
use super::locks::{
    AtomicBool, AtomicI64, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering,
    STREAM_SHARDS, fence, yield_now,
};

/// Why a stream was ended by [`ActiveStream::finish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Its session or key has ended.
    Ended,
    /// The rules no longer admit it.
    Refused,
    /// Whether it may go on could not be determined in time.
    Unconfirmed,
    /// The instance is stopping.
    Shutdown,
}

impl StreamEnd {
    const ALL: [Self; 4] = [Self::Ended, Self::Refused, Self::Unconfirmed, Self::Shutdown];
}

/// One direction of a stream. Each is written by a task of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the client.
    Down,
    /// To the upstream server.
    Up,
}

/// The data of one request and its response, until both are complete. It is written only while access lasts.
pub struct ActiveStream<T> {
    principal: Option<Principal>,
    /// What the application needs to decide about the stream again.
    pub facts: T,
    /// The number of announced changes that may concern it. Its own opening counts as the first.
    announced: AtomicU64,
    /// How many of these changes a lookup has taken into account.
    cleared: AtomicU64,
    /// How many writes are in progress.
    writing: AtomicU32,
    /// The position in [`StreamEnd::ALL`] plus 1; 0 while the stream is open.
    end: AtomicU8,
    /// When the session ends if it is not used: a [`Moment`].
    until: AtomicI64,
    /// Whether a task was told to wait since the last [`wake_waiting`](Self::wake_waiting).
    waiting: AtomicBool,
    wakers: Mutex<[Option<Waker>; 2]>,
    /// Its position in the list of its principal. Read and written under the lock of the shard.
    position: AtomicUsize,
}

/// The number of announcements at the time of [`ActiveStream::generation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamGeneration(u64);

impl<T> ActiveStream<T> {
    fn new(principal: Option<Principal>, facts: T) -> Self {
        Self {
            principal,
            facts,
            announced: AtomicU64::new(1),
            cleared: AtomicU64::new(0),
            writing: AtomicU32::new(0),
            end: AtomicU8::new(0),
            until: AtomicI64::new(i64::MIN),
            waiting: AtomicBool::new(false),
            wakers: Mutex::new([None, None]),
            position: AtomicUsize::new(0),
        }
    }

    /// The owner of its session; `None` for a visitor.
    pub fn principal(&self) -> Option<Principal> {
        self.principal
    }

    /// Take this *before* the lookup that will [`clear`](Self::clear) the stream.
    pub fn generation(&self) -> StreamGeneration {
        StreamGeneration(self.announced.load(Ordering::SeqCst))
    }

    /// A lookup that began after `generation` has found that the stream may go on, until `until` at the latest. Changes
    /// that were announced since `generation` still keep it paused.
    pub fn clear(&self, generation: StreamGeneration, until: Moment) {
        self.until.store(until.0, Ordering::SeqCst);
        self.cleared.fetch_max(generation.0, Ordering::SeqCst);
        self.wake();
    }

    /// Ends the stream: nothing more is written. Returns whether it was open.
    pub fn finish(&self, why: StreamEnd) -> bool {
        let position = StreamEnd::ALL.iter().position(|end| *end == why).unwrap_or_default();
        let code = u8::try_from(position + 1).unwrap_or(u8::MAX);
        let was_running = self.end.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        self.wake();
        was_running
    }

    /// Why the stream was ended; `None` while it is open.
    pub fn end(&self) -> Option<StreamEnd> {
        let code = self.end.load(Ordering::SeqCst);
        StreamEnd::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }

    /// Whether a change has not been taken into account yet.
    pub fn is_marked(&self) -> bool {
        self.announced.load(Ordering::SeqCst) > self.cleared.load(Ordering::SeqCst)
    }

    /// Whether its session may have expired, so that it must be looked up again.
    pub fn is_over(&self, now: Moment) -> bool {
        now.0 >= self.until.load(Ordering::SeqCst)
    }

    /// A permit to write one piece of data now, or why there will be none. Pending while a change has to be looked up,
    /// and while there is no lease. The task is woken when the stream is cleared or ends. Nothing announces a new
    /// lease, so call [`wake_waiting`](Self::wake_waiting) from time to time.
    ///
    /// * `now`: [`Store::lease_moment`](super::Store::lease_moment).
    pub fn poll_permit(
        &self,
        direction: Direction,
        now: Option<Moment>,
        cx: &Context<'_>,
    ) -> Poll<Result<WritePermit<'_>, StreamEnd>> {
        self.register(direction, cx);
        // Counted before the marks are read: either the announcement waits for this write, or the write sees the mark.
        self.writing.fetch_add(1, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let permit = WritePermit(&self.writing);
        if let Some(end) = self.end() {
            return Poll::Ready(Err(end));
        }
        if self.is_marked() || now.is_none_or(|now| self.is_over(now)) {
            self.waiting.store(true, Ordering::SeqCst);
            return Poll::Pending;
        }
        Poll::Ready(Ok(permit))
    }

    /// Wakes the task when the stream is cleared or ends.
    pub fn register(&self, direction: Direction, cx: &Context<'_>) {
        let mut wakers = lock(&self.wakers);
        let waker = &mut wakers[direction as usize];
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }

    /// Wakes its tasks if one was told to wait.
    pub fn wake_waiting(&self) {
        if self.waiting.swap(false, Ordering::SeqCst) {
            self.wake();
        }
    }

    fn wake(&self) {
        let wakers = lock(&self.wakers).clone();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Pauses the stream until a lookup that begins after this call clears it. Does not wait for a write that has
    /// begun.
    pub fn mark(&self) {
        self.announced.fetch_add(1, Ordering::SeqCst);
    }

    /// Waits for writes that began before the mark. Each write is a single call that does not block.
    fn wait_for_writers(&self) {
        fence(Ordering::SeqCst);
        while self.writing.load(Ordering::SeqCst) > 0 {
            yield_now();
        }
    }
}

/// Permits one write that does not block. Drop it directly after the write: announcements wait for it.
pub struct WritePermit<'s>(&'s AtomicU32);

impl Drop for WritePermit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A connection asks this before each write of a response that must not outlive its stream. Implementations combine an
/// [`OpenStream`] with the application's lease.
pub trait WriteGate {
    /// A permit to write once, or why nothing more may be written. Pending while a change has to be looked up, and
    /// while there is no lease; see [`ActiveStream::poll_permit`].
    fn poll_permit(&self, direction: Direction, cx: &Context<'_>)
    -> Poll<Result<WritePermit<'_>, StreamEnd>>;

    /// Wakes the task when the stream ends or may go on.
    fn register(&self, direction: Direction, cx: &Context<'_>);

    /// Why the stream was ended; `None` while it is open.
    fn end(&self) -> Option<StreamEnd>;
}

/// All streams of an instance, by principal.
pub struct Streams<T> {
    shards: Box<[Mutex<Shard<T>>]>,
    count: AtomicUsize,
}

type Shard<T> = HashMap<Option<Principal>, Vec<Arc<ActiveStream<T>>>>;

impl<T> Default for Streams<T> {
    fn default() -> Self {
        Self {
            shards: (0..STREAM_SHARDS).map(|_| Mutex::new(HashMap::new())).collect(),
            count: AtomicUsize::new(0),
        }
    }
}

impl<T> Streams<T> {
    /// Opens a stream, which writes nothing before it is [cleared](ActiveStream::clear).
    pub fn open(self: &Arc<Self>, principal: Option<Principal>, facts: T) -> OpenStream<T> {
        let stream = Arc::new(ActiveStream::new(principal, facts));
        let mut shard = lock(self.shard(principal));
        let list = shard.entry(principal).or_default();
        stream.position.store(list.len(), Ordering::Relaxed);
        list.push(Arc::clone(&stream));
        self.count.fetch_add(1, Ordering::Relaxed);
        OpenStream { stream, streams: Arc::clone(self) }
    }

    /// The number of open streams.
    pub fn len(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// Whether no stream is open.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Marks the streams of `principals` and returns them. When it returns, nothing is being written for them, and
    /// nothing will be until each is cleared by a lookup that began after this.
    pub fn mark(&self, principals: &[Principal]) -> Vec<Arc<ActiveStream<T>>> {
        let mut marked = Vec::new();
        for principal in principals {
            let shard = lock(self.shard(Some(*principal)));
            marked.extend(shard.get(&Some(*principal)).into_iter().flatten().map(Arc::clone));
        }
        mark_all(&marked);
        marked
    }

    /// As [`mark`](Self::mark), for all streams.
    pub fn mark_all(&self) -> Vec<Arc<ActiveStream<T>>> {
        let all = self.all();
        mark_all(&all);
        all
    }

    /// All open streams.
    pub fn all(&self) -> Vec<Arc<ActiveStream<T>>> {
        let mut all = Vec::with_capacity(self.len());
        for shard in &self.shards {
            all.extend(lock(shard).values().flatten().map(Arc::clone));
        }
        all
    }

    fn shard(&self, principal: Option<Principal>) -> &Mutex<Shard<T>> {
        let byte = principal.map_or(0, |principal| principal.0.as_bytes()[15]);
        &self.shards[usize::from(byte) % STREAM_SHARDS]
    }

    fn remove(&self, stream: &ActiveStream<T>) {
        let mut shard = lock(self.shard(stream.principal));
        let Some(list) = shard.get_mut(&stream.principal) else { return };
        let position = stream.position.load(Ordering::Relaxed);
        list.swap_remove(position);
        if let Some(moved) = list.get(position) {
            moved.position.store(position, Ordering::Relaxed);
        }
        if list.is_empty() {
            shard.remove(&stream.principal);
        }
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Marks all streams before it waits for the writers of the first one.
fn mark_all<T>(streams: &[Arc<ActiveStream<T>>]) {
    streams.iter().for_each(|stream| stream.mark());
    streams.iter().for_each(|stream| stream.wait_for_writers());
}

/// A stream while it is open. Dropping this removes it from the list.
pub struct OpenStream<T> {
    stream: Arc<ActiveStream<T>>,
    streams: Arc<Streams<T>>,
}

impl<T> Deref for OpenStream<T> {
    type Target = Arc<ActiveStream<T>>;

    fn deref(&self) -> &Arc<ActiveStream<T>> {
        &self.stream
    }
}

impl<T> Drop for OpenStream<T> {
    fn drop(&mut self) {
        self.streams.remove(&self.stream);
    }
}

/// No code that holds one of these locks can panic halfway through a change.
fn lock<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

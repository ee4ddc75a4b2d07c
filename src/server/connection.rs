//! One connection: requests in, responses out, in the same order.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::broker::Broker;
use super::dispatch::{Answer, dispatch};
use super::limits::{Limits, Room, SMALL_BYTES};
use super::metrics::RequestTimer;
use super::outgoing::{Outgoing, write_responses};
use super::security::{Access, Admission, Entrance};
use super::stop::told_to_stop;
use super::when_woken::or_never;
use crate::net::codec::Encoded;
use crate::net::frame::FrameBuffer;
use crate::net::transport::{ConnectionError, or_gone};

/// How long a client may take to read its responses once the server stops.
const GRACE: Duration = Duration::from_secs(1);

/// How many requests of a connection may wait for their responses. Clients send 5 at most, if they keep to their
/// defaults.
const REQUESTS_MAX: usize = 64;

/// How many bytes of responses may wait to be written, or may still come to that where they take memory, before the
/// next request is begun: a few bytes may ask for many.
const ANSWERED_BYTES_MAX: usize = 1024 * 1024;

/// A request that has a response to come, and the memory that it has been granted for as long.
struct Request {
    answer: Answer,
    timer: RequestTimer,
    room: Room,
}

/// Lets the client in, and answers its requests until it has no more, does what it may not, or the server stops.
///
/// Requests begin one after the other, in the order in which they come, which idempotent producers need. Where one has
/// to wait, for a sync or for records, the next begins meanwhile; its response waits its turn. A client that doesn't
/// take its responses is not read from.
pub(super) async fn serve(
    (mut reading, mut writing): (impl AsyncRead + Unpin, impl Outgoing),
    access: &Access,
    broker: Arc<Broker>,
    limits: &Arc<Limits>,
    stop: watch::Receiver<bool>,
) -> Result<(), ConnectionError> {
    let idle_max = Duration::from_millis(broker.config.connections_max_idle_ms);
    let mut incoming = Incoming::new(broker.config.socket_request_max_bytes);
    let mut requests: VecDeque<Request> = VecDeque::new();
    // With it, until when others let it keep its memory while the client is slow to take a response.
    let mut beginning = None;
    let (mut stopped, mut stopped_for_long) = (stop.clone(), pin!(grace(stop.clone())));
    // A client that has been let in may have to show again who it is. Then it waits until all is answered.
    let (mut admission, mut again) = (Admission::default(), None);
    let mut is_to_be_admitted = true;
    // Once there will be no more requests, those that wait for records or for others are answered as things are: the
    // client may have gone, and would be kept for as long as it said that it would wait.
    let (last, hurry) = watch::channel(false);
    let has_more = || !*last.borrow();
    while has_more() || beginning.is_some() || !requests.is_empty() {
        let is_quiet = beginning.is_none() && requests.is_empty();
        if is_quiet && is_to_be_admitted {
            let (reading, writing) = (&mut reading, &mut writing);
            let entrance = Entrance { frames: &mut incoming.frames, reading, writing, broker: &broker, limits };
            let again = again.take().map(|request| (admission, request));
            let Some(admitted) = access.admit(entrance, again, stop.clone()).await? else { return Ok(()) };
            (admission, is_to_be_admitted) = (admitted, false);
            incoming.last_activity = Instant::now();
        }
        let may_read = has_more() && !is_to_be_admitted && beginning.is_none() && may_begin_another(&requests);
        let idle_until = incoming.last_activity + idle_max;
        let due = requests.iter().filter_map(|request| request.room.due_once_begun()).min();
        tokio::select! {
            frame = incoming.next(&mut reading, limits, may_read) => match frame? {
                Some((frame, _)) if admission.is_renewed_by(&frame)? => (again, is_to_be_admitted) = (Some(frame), true),
                Some((frame, mut room)) => {
                    let timer = broker.metrics.request_began(&frame);
                    let (broker, hurry, due) = (broker.clone(), hurry.clone(), room.due(frame.len()));
                    let last = last.clone();
                    let begun = Box::pin(async move {
                        let answer = dispatch(broker, frame, hurry, &mut room).await.unwrap_or_else(|error| {
                            last.send_replace(true);
                            Answer::Now(Err(error))
                        });
                        room.let_go_of_frame();
                        Request { answer, timer, room }
                    });
                    beginning = Some((begun, due));
                }
                None => _ = last.send_replace(true),
            },
            begun = or_never(beginning.as_mut().map(|(begun, _)| begun)) => {
                beginning = None;
                requests.push_back(begun);
            }
            answered = first(&mut requests) => {
                let answered = answered?;
                let responses = || answered.iter().filter_map(|(response, ..)| response.as_ref());
                if responses().next().is_some() {
                    let mut writing = pin!(write_responses(&mut writing, responses(), idle_max));
                    let sent = loop {
                        let rooms = requests.iter().map(|request| &request.room);
                        let rooms = answered.iter().map(|(.., room)| room).chain(rooms);
                        let due = rooms.filter_map(Room::due_once_begun);
                        let due = due.chain(beginning.as_ref().map(|(_, due)| *due)).min();
                        tokio::select! {
                            sent = &mut writing => break sent?,
                            // What those behind them are given while they wait, a turn or a permit, others wait for.
                            begun = or_never(beginning.as_mut().map(|(begun, _)| begun)) => {
                                beginning = None;
                                requests.push_back(begun);
                            }
                            never = all_get_on(&mut requests) => match never {},
                            error = incoming.wanted_back(limits) => return Err(error.into()),
                            error = limits.wanted_back(due) => return Err(error.into()),
                            () = &mut stopped_for_long => return Ok(()),
                        }
                    };
                    broker.metrics.sent_from_files(sent);
                    incoming.last_activity = Instant::now();
                    incoming.goes_on();
                }
                for (response, timer, _room) in answered {
                    timer.answered(response.as_ref());
                }
            }
            error = limits.wanted_back(due) => return Err(error.into()),
            () = sleep_until(idle_until), if is_quiet => {
                // It may have sent something since.
                if incoming.last_activity.elapsed() >= idle_max {
                    return Err(io::Error::from(io::ErrorKind::TimedOut).into());
                }
            }
            () = told_to_stop(&mut stopped), if has_more() => {
                last.send_replace(true);
            }
        }
    }
    // Over TLS the client sees by it that nobody has cut it off.
    let _ = timeout(GRACE, writing.shutdown()).await;
    Ok(())
}

fn may_begin_another(requests: &VecDeque<Request>) -> bool {
    let answered: usize = requests.iter().map(|request| request.answer.size()).sum();
    requests.len() < REQUESTS_MAX && answered < ANSWERED_BYTES_MAX
}

/// The first request and those right behind it of which it is known what came of them, once it is known of that one:
/// their responses leave together. Those behind them get on meanwhile.
async fn first(
    requests: &mut VecDeque<Request>,
) -> Result<Vec<(Option<Encoded>, RequestTimer, Room)>, ConnectionError> {
    std::future::poll_fn(|context| {
        requests.iter_mut().for_each(|request| request.answer.get_on(context));
        let mut answered = Vec::new();
        while let Some(answer) = requests.front_mut().and_then(|first| first.answer.take(answered.is_empty())) {
            let response = answer?;
            answered.extend(requests.pop_front().map(|Request { timer, room, .. }| (response, timer, room)));
        }
        if answered.is_empty() { Poll::Pending } else { Poll::Ready(Ok(answered)) }
    })
    .await
}

/// Lets all of them get on.
async fn all_get_on(requests: &mut VecDeque<Request>) -> Infallible {
    std::future::poll_fn(|context| {
        requests.iter_mut().for_each(|request| request.answer.get_on(context));
        Poll::Pending
    })
    .await
}

async fn grace(mut stop: watch::Receiver<bool>) {
    told_to_stop(&mut stop).await;
    tokio::time::sleep(GRACE).await;
}

/// What comes from the client.
struct Incoming {
    frames: FrameBuffer,
    /// The room of the frame that is being read, and the wait for it: whoever waits keeps its place.
    room: Option<Room>,
    waiting: Option<Pin<Box<dyn Future<Output = Room> + Send>>>,
    last_activity: Instant,
}

impl Incoming {
    fn new(frame_bytes_max: usize) -> Self {
        Self { frames: FrameBuffer::new(frame_bytes_max), room: None, waiting: None, last_activity: Instant::now() }
    }

    /// The next frame, which is not read before there is room for it, nor unless it `may_read`. `None` if the client
    /// sends no more.
    ///
    /// A call that is dropped loses nothing.
    async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        limits: &Arc<Limits>,
        may_read: bool,
    ) -> Result<Option<(Bytes, Room)>, ConnectionError> {
        if !may_read {
            return Err(self.wanted_back(limits).await.into());
        }
        loop {
            if let Some(bytes) = self.frames.next_size()? {
                if self.room.is_none() {
                    let waiting = self.waiting.get_or_insert_with(|| Box::pin(limits.room_for(bytes)));
                    self.room = Some(waiting.await);
                    self.waiting = None;
                }
                if let Some(frame) = self.frames.next_frame()? {
                    return Ok(self.room.take().map(|room| (frame, room)));
                }
            }
            let due = self.due();
            let read = tokio::select! {
                read = stream.read_buf(self.frames.with_room()) => or_gone(read)?,
                error = limits.wanted_back(due) => return Err(error.into()),
            };
            if read == 0 {
                return if self.frames.is_empty() { Ok(None) } else { Err(ConnectionError::Closed) };
            }
            self.last_activity = Instant::now();
        }
    }

    /// Returns when others need the memory that the client has been given for a frame, or waits for, while nothing is
    /// read. Where next to nothing of the frame is there, it is given back, and waited for once more when it is read
    /// on.
    async fn wanted_back(&mut self, limits: &Limits) -> io::Error {
        loop {
            if let Some(waiting) = &mut self.waiting {
                self.room = Some(waiting.await);
                self.waiting = None;
            }
            let error = limits.wanted_back(self.due()).await;
            if self.frames.len() > SMALL_BYTES {
                return error;
            }
            self.room = None;
        }
    }

    /// The client has as much time for the rest of a frame as if it had just begun: it was not read from meanwhile.
    fn goes_on(&mut self) {
        if let Some(room) = &mut self.room {
            room.begin_anew();
        }
    }

    /// Until when the rest of a frame should be there that has been given room. What isn't held can't be given back.
    fn due(&self) -> Option<Instant> {
        self.room.as_ref().map(|room| room.due(self.frames.len()))
    }
}
